"""`python -m images.build_runtime DIRECTORY`: build the relocatable runtime, as the image has it at /opt/osmo.

    osmo_exec            the starter (starter.c); osmo_ctrl, osmo_init and osmo are links to it
    runtime/ld.so        the dynamic loader
    runtime/bin/python3  the CPython that runs this build
    runtime/lib          the shared libraries, the standard library and our packages, as bytecode
    runtime/etc          the certificate authorities that a fresh image lacks

Needs a C compiler and binutils, and an environment in which the packages of `packages.RUNTIME_PACKAGES` are installed. Downloads nothing.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from images.interpreter import copy_interpreter
from images.pack import pack
from images.packages import copy_packages
from images.shared_libraries import Unbuildable, copy_libraries, strip
from osmo_runtime import image_layout

SOURCES = Path(__file__).resolve().parent
STARTED_AS = (image_layout.CTRL_NAME, image_layout.INIT_NAME, image_layout.CLI_NAME)


def build_runtime(target: Path) -> None:
    """Fill `target`, which must not exist or be empty. Raises Unbuildable."""
    target.mkdir(parents=True, exist_ok=True)
    build_starter(target / image_layout.EXEC_NAME)
    for name in STARTED_AS:
        (target / name).symlink_to(image_layout.EXEC_NAME)
    tree = target / "runtime"
    library = copy_interpreter(tree)
    packages = library / "site-packages"
    copy_packages(packages)
    shutil.copyfile(SOURCES / "in_task.py", packages / "osmo_in_task.py")
    copy_libraries(tree)
    strip(tree)
    _certificates(packages, tree / "etc")
    to_bytecode(library)
    pack(library)
    same_for_everybody(target)


def build_starter(target: Path) -> None:
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-static", "-Os", "-s", "-Wall", "-Werror", "-o", str(target), str(SOURCES / "starter.c")]
    try:
        made = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        raise Unbuildable(f"the starter needs a C compiler with a static libc, and {compiler} cannot be run") from error
    if made.returncode:
        raise Unbuildable(f"the starter does not compile: {made.stderr.strip()}")


def to_bytecode(library: Path) -> None:
    """Replace every source by its bytecode, which is taken as it is: nobody compares it with a source that is not there.

    Without docstrings and without columns of the source, which would be kept in memory for nobody to see.
    """
    small = ["-X", "no_debug_ranges"]
    how = ["-q", "-b", "-o", "2", "-j", str(os.cpu_count() or 1), "--invalidation-mode", "unchecked-hash"]
    names = ["-s", str(library), "-p", "osmo"]
    compiled = subprocess.run([sys.executable, *small, "-m", "compileall", *how, *names, str(library)], check=False)
    if compiled.returncode:
        raise Unbuildable("a module of the runtime does not compile")
    for source in library.rglob("*.py"):
        source.unlink()


def _certificates(packages: Path, target: Path) -> None:
    target.mkdir()
    (packages / "botocore" / "cacert.pem").rename(target / "cacert.pem")
    (packages / "botocore" / "cacert.pem").symlink_to(os.path.relpath(target / "cacert.pem", packages / "botocore"))


def same_for_everybody(target: Path) -> None:
    """Any user may run it, nobody may write to it."""
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            runnable = path.is_dir() or path.stat().st_mode & 0o111
            path.chmod(0o755 if runnable else 0o644)


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m images.build_runtime DIRECTORY\n")
        return 2
    try:
        build_runtime(Path(sys.argv[1]))
    except Unbuildable as error:
        sys.stderr.write(f"The runtime cannot be built: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
