"""Root file systems of users' images: nothing at all, a foreign libc, and the machine's own distribution."""

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("probe.c")
HOST_FOLDERS = ("bin", "etc", "lib", "lib64", "sbin", "usr")

Mounts = list[tuple[str, str, bool]]


def scratch(root: Path) -> Mounts:
    """An image with one static program: no shell, no libc, no loader."""
    _bare(root)
    _compile(os.environ.get("CC", "cc"), root / "probe", "-static")
    return []


def musl(root: Path) -> Mounts:
    """An image as Alpine makes them: programs are linked with musl. Needs Debian's musl-tools."""
    _bare(root)
    _compile("musl-gcc", root / "probe")
    loader = next(Path("/lib").glob("ld-musl-*.so.1"))
    (root / "lib").mkdir()
    shutil.copyfile(loader.resolve(), root / "lib" / loader.name)
    (root / "lib" / loader.name).chmod(0o755)
    return []


def host(root: Path) -> Mounts:
    """The programs of this machine, bash among them."""
    _bare(root)
    _compile(os.environ.get("CC", "cc"), root / "probe")
    mounts: Mounts = []
    for name in HOST_FOLDERS:
        place = Path("/", name)
        if place.is_symlink():
            (root / name).symlink_to(place.readlink())
        elif place.is_dir():
            mounts.append((str(place), str(place), False))
    return mounts


def _bare(root: Path) -> None:
    for folder in ("dev", "proc", "tmp"):
        (root / folder).mkdir(parents=True)
    (root / "dev" / "null").touch()


def _compile(compiler: str, target: Path, *flags: str) -> None:
    command = [compiler, *flags, "-Wall", "-Werror", "-o", str(target), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True, text=True)
