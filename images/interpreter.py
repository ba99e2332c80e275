"""The part of CPython that an image needs: the interpreter that runs this build, and its standard library without what no program of ours uses."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

NOT_SHIPPED = frozenset(
    (
        "__pycache__",
        "__phello__",
        "curses",
        "dbm",
        "dist-packages",
        "distutils",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "msilib",
        "pydoc_data",
        "site-packages",
        "sqlite3",
        "test",
        "tests",
        "tkinter",
        "turtle.py",
        "turtledemo",
        "unittest",
        "venv",
        "wsgiref",
        "xmlrpc",
    )
)
DESCRIBES_THE_BUILD = ("config-", "_sysconfigdata")
"""How this CPython was made: only `sysconfig` asks, whom no program of the runtime does."""

EXTENSIONS_NOT_SHIPPED = (
    "_codecs_",
    "_crypt",
    "_curses",
    "_dbm",
    "_gdbm",
    "_sqlite3",
    "_test",
    "_tkinter",
    "_xx",
    "nis",
    "ossaudiodev",
    "readline",
    "spwd",
    "xx",
)


def copy_interpreter(target: Path, *, told_of_the_build: bool = False) -> Path:
    """Put `bin/python3` and the standard library under `target`. Returns the folder of the standard library there.

    `told_of_the_build` says that `sysconfig` has to answer.
    """
    (target / "bin").mkdir(parents=True)
    program = Path(os.path.realpath(sys.executable))
    shutil.copyfile(program, target / "bin" / "python3")
    (target / "bin" / "python3").chmod(0o755)
    library = target / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=_not_shipped, symlinks=False)
    _complete_extensions(library / "lib-dynload")
    if told_of_the_build:
        for description in Path(sysconfig.get_path("stdlib")).glob("_sysconfigdata*.py"):
            shutil.copyfile(description, library / description.name)
    return library


def _not_shipped(folder: str, names: list[str]) -> set[str]:
    if Path(folder).name == "lib-dynload":
        return {name for name in names if name.startswith(EXTENSIONS_NOT_SHIPPED)}
    return {name for name in names if name in NOT_SHIPPED or name.startswith(DESCRIBES_THE_BUILD)}


def _complete_extensions(target: Path) -> None:
    """Where the machine's Python keeps its extension modules apart from the library."""
    kept = Path(sysconfig.get_path("platstdlib")) / "lib-dynload"
    if not target.exists() and kept.is_dir():
        shutil.copytree(kept, target, ignore=_not_shipped)
