"""What the image of the services is made of where no engine is: as images/service/Containerfile has it, with the Python of this environment.

    opt/osmo/bin/python                     the CPython that runs this build, and its standard library beside it
    opt/osmo/lib/*.so*                      the shared libraries that they need, where a program of this machine looks for its libc
    opt/osmo/lib/python3.XX/site-packages   the packages of the lock, then our members

Sources are kept, since a traceback shows them; bytecode is made with them, since the root file system is read-only.
"""

import os
import subprocess
import sys
from pathlib import Path

from images.build_runtime import same_for_everybody
from images.folders import FILES
from images.interpreter import copy_interpreter
from images.layers import Folders
from images.packages import SERVICE_MEMBERS, SERVICE_PACKAGES, copy_installed, copy_service_member
from images.shared_libraries import Unbuildable, copy_libraries, loader_and_libc, strip

PLACE = "opt/osmo"
USER = 65532
ENVIRONMENT = {
    "PATH": f"/{PLACE}/bin:/usr/local/bin:/usr/bin:/bin",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
COMMAND = ("python", "-m", "osmo_gateway")

IMAGE_FOLDERS: Folders = (("etc", 0o755), ("tmp", 0o1777))
IMAGE_FILES = {name: content for name, content in FILES.items() if name.startswith("etc/")}


def build_interpreter(target: Path) -> None:
    """Put Python and the packages of the lock into `target`, which is PLACE in the image. Raises Unbuildable."""
    target.mkdir(parents=True, exist_ok=True)
    library = copy_interpreter(target, told_of_the_build=True)
    (target / "bin" / "python").symlink_to("python3")
    for name in SERVICE_PACKAGES:
        copy_installed(name, library / "site-packages")
    copy_libraries(target)
    strip(target)
    _to_bytecode(library)
    same_for_everybody(target)


def build_members(target: Path) -> None:
    """Put the workspace's members into `target`, which is PLACE in the image, too. Raises Unbuildable."""
    packages = target / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    for member in SERVICE_MEMBERS:
        copy_service_member(member, packages)
    _to_bytecode(packages)
    same_for_everybody(target)


def links() -> dict[str, str]:
    """Where the kernel finds the loader of our Python, and that one finds libraries: the places that they have on this machine."""
    loader, libc = loader_and_libc(Path(os.path.realpath(sys.executable)))
    return {str(loader).lstrip("/"): f"/{PLACE}/ld.so", str(libc.parent).lstrip("/"): f"/{PLACE}/lib"}


def _to_bytecode(library: Path) -> None:
    """Taken as it is, whatever time its source says it is of: in the image, all times are the same."""
    how = ["-q", "-j", str(os.cpu_count() or 1), "--invalidation-mode", "unchecked-hash"]
    names = ["-s", str(library), "-p", "osmo"]
    if subprocess.run([sys.executable, "-m", "compileall", *how, *names, str(library)], check=False).returncode:
        raise Unbuildable("a module of the services does not compile")
