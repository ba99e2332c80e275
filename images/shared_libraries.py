"""Every shared library that a tree of programs and extension modules needs, and the dynamic loader that brings them together."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ELF = b"\x7fELF"
_NEEDED = re.compile(r"^\s*(\S+) => (/\S+) \(0x", re.MULTILINE)
_LOADER = re.compile(r"^\s*(/\S*/ld[-\w.]*) \(0x", re.MULTILINE)
ASKED_AT_RUN_TIME = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""What libc itself opens later, where it is there: threads that are cancelled, names of hosts."""


class Unbuildable(Exception):
    """The runtime cannot be built here; the text says why."""


def copy_libraries(tree: Path) -> None:
    """Put the loader at `<tree>/ld.so` and everything that a file of `tree` is linked with into `<tree>/lib`."""
    libraries = tree / "lib"
    program = tree / "bin" / "python3"
    shutil.copyfile(loader_and_libc(program)[0].resolve(), tree / "ld.so")
    (tree / "ld.so").chmod(0o755)
    found: dict[str, Path] = {}
    for file in elf_files(tree):
        found |= needed_by(file)
    own = {file.name for file in tree.rglob("*.so*")}
    for name, source in found.items():
        if name not in own:
            shutil.copyfile(source, libraries / name)
    for name in ASKED_AT_RUN_TIME:
        source = found["libc.so.6"].parent / name
        if source.exists():
            shutil.copyfile(source, libraries / name)


def strip(tree: Path) -> None:
    """Leave out what only a debugger reads."""
    for file in elf_files(tree):
        if file.name != "ld.so":
            subprocess.run(["strip", "--strip-unneeded", file], check=True)


def elf_files(tree: Path) -> Iterator[Path]:
    for file in sorted(tree.rglob("*")):
        if file.is_file():
            with file.open("rb") as content:
                if content.read(len(ELF)) == ELF:
                    yield file


def needed_by(file: Path) -> dict[str, Path]:
    """Name and place of every shared library that a program or library needs. Raises Unbuildable."""
    told = subprocess.run(["ldd", file], check=False, capture_output=True, text=True).stdout
    if missing := re.search(r"^\s*(\S+) => not found", told, re.MULTILINE):
        raise Unbuildable(f"{file.name} needs {missing[1]}, which is not on this machine")
    return {name: Path(path) for name, path in _NEEDED.findall(told)}


def loader_and_libc(program: Path) -> tuple[Path, Path]:
    """Where this program looks for its loader, and finds its libc. Raises Unbuildable."""
    told = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
    loader, libc = _LOADER.search(told), dict(_NEEDED.findall(told)).get("libc.so.6")
    if loader is None or libc is None:
        raise Unbuildable(
            "the Python that builds the runtime must be linked with glibc: a musl or a static one cannot be moved"
        )
    return Path(loader[1]), Path(libc)
