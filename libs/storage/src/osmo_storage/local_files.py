"""What lies in a directory of this machine: found before it is copied or uploaded, in the order of its keys."""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from osmo_storage.stored import StorageError

PART_PREFIX: Final = ".osmo-part-"
"""What a file is called until it is whole. Listings leave such files out."""

KeyFilter = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Found:
    key: str
    path: Path
    regular: bool
    size: int


def walk(root: Path, wanted: KeyFilter) -> list[Found]:
    """Everything below `root` that is no directory, ordered by key; itself where it is a file, nothing where there is nothing."""
    if root.is_file():
        return [Found(root.name, root, True, root.stat().st_size)]
    if not root.is_dir():
        return []
    return sorted(_entries(root, "", wanted), key=lambda entry: entry.key)


def _entries(directory: Path, prefix: str, wanted: KeyFilter) -> Iterator[Found]:
    try:
        with os.scandir(directory) as listing:
            entries = list(listing)
    except OSError as error:
        raise StorageError(f"cannot list {directory}: {error.strerror}") from error
    for entry in entries:
        key = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), key + "/", wanted)
        elif not entry.name.startswith(PART_PREFIX) and wanted(key):
            yield _measured(key, Path(entry.path))


def _measured(key: str, path: Path) -> Found:
    """A dangling link, or one to a directory, counts as no file."""
    try:
        state = path.stat()
    except OSError:
        return Found(key, path, False, 0)
    return Found(key, path, stat.S_ISREG(state.st_mode), state.st_size)


async def open_file(path: Path) -> int:
    """A descriptor for reading; the caller closes it."""
    try:
        return await asyncio.to_thread(os.open, path, os.O_RDONLY)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


async def read_file(opened: int, path: Path, start: int, length: int) -> bytes:
    """These bytes of an open file, all of them, or StorageError. `path` is what it is called when it is spoken of."""
    try:
        data = await asyncio.to_thread(_read_all, opened, start, length)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) != length:
        raise StorageError(f"{path} shrank while it was sent: {start + len(data)} bytes are left")
    return data


def _read_all(opened: int, start: int, length: int) -> bytes:
    pieces: list[bytes] = []
    at, end = start, start + length
    while at < end and (piece := os.pread(opened, end - at, at)):
        pieces.append(piece)
        at += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
