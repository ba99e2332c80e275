"""Putting pure modules together into one file: a pod's start copies the runtime, and what costs there is the number of files."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
LANDMARK = "os.pyc"
"""By this file Python knows its standard library; it stays beside the archive, too."""


def pack(library: Path) -> None:
    """Move every module and package of `library` and its `site-packages` that is nothing but bytecode into `python3XX.zip`, which Python looks
    into first. What has extension modules or data stays as it is."""
    archive = library.parent / f"{library.name.replace('.', '')}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for folder in (library / "site-packages", library):
            for entry in sorted(folder.iterdir()):
                if _is_pure(entry):
                    _move(entry, folder, packed)


def _is_pure(entry: Path) -> bool:
    files = [entry] if entry.is_file() else [file for file in entry.rglob("*") if not file.is_dir()]
    return bool(files) and all(file.suffix == ".pyc" and not file.is_symlink() for file in files)


def _move(entry: Path, folder: Path, packed: zipfile.ZipFile) -> None:
    for file in sorted(_files(entry)):
        packed.writestr(zipfile.ZipInfo(file.relative_to(folder).as_posix(), EPOCH), file.read_bytes())
    if entry.is_dir():
        shutil.rmtree(entry)
    elif entry.name != LANDMARK:
        entry.unlink()


def _files(entry: Path) -> Iterator[Path]:
    yield from [entry] if entry.is_file() else [file for file in entry.rglob("*") if file.is_file()]
