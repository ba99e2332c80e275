"""The `file://` adapter: a prefix is a directory of this machine. Every object appears whole or not at all, also under kill -9.

An object is written beside its place under a name that listings leave out, flushed to the disk, measured, and renamed.
All work on files happens in threads, a few files at a time.
"""

import asyncio
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from osmo_storage.stored import StorageError, StoredObject, Transferred

PART_PREFIX = ".osmo-part-"
AT_ONCE = 8
CHUNK_BYTES = 1 << 20

KeyFilter = Callable[[str], bool]
Progress = Callable[[Transferred], None]


@dataclass(frozen=True, slots=True)
class _Found:
    key: str
    path: Path
    regular: bool
    size: int


async def upload(directory: Path, prefix: Path, wanted: KeyFilter, progress: Progress) -> Transferred:
    found = await asyncio.to_thread(_walk, directory, wanted)
    skipped = tuple(entry.key for entry in found if not entry.regular)
    pairs = [(entry.path, prefix / entry.key) for entry in found if entry.regular]
    return await _copy_all(pairs, Transferred(skipped=skipped), progress)


async def download(prefix: Path, directory: Path, wanted: KeyFilter, progress: Progress) -> Transferred:
    found = await asyncio.to_thread(_objects, prefix, wanted)
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    return await _copy_all([(entry.path, directory / entry.key) for entry in found], Transferred(), progress)


async def list_objects(prefix: Path, wanted: KeyFilter) -> list[StoredObject]:
    found = await asyncio.to_thread(_objects, prefix, wanted)
    return [StoredObject(entry.key, entry.size) for entry in found]


def _objects(prefix: Path, wanted: KeyFilter) -> list[_Found]:
    """Regular files below the prefix, or the one that the prefix itself names."""
    return [entry for entry in _walk(prefix, wanted) if entry.regular]


def _walk(root: Path, wanted: KeyFilter) -> list[_Found]:
    """Everything below `root` that is no directory, ordered by key; itself where it is a file, nothing where there is nothing."""
    if root.is_file():
        return [_Found(root.name, root, True, root.stat().st_size)]
    if not root.is_dir():
        return []
    return sorted(_entries(root, "", wanted), key=lambda entry: entry.key)


def _entries(directory: Path, prefix: str, wanted: KeyFilter) -> Iterator[_Found]:
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


def _measured(key: str, path: Path) -> _Found:
    """A dangling link, or one to a directory, counts as no file."""
    try:
        state = path.stat()
    except OSError:
        return _Found(key, path, False, 0)
    return _Found(key, path, stat.S_ISREG(state.st_mode), state.st_size)


async def _copy_all(pairs: list[tuple[Path, Path]], start: Transferred, progress: Progress) -> Transferred:
    """Copy every pair, a few at once. The first failure stops the rest and is raised."""
    limit = asyncio.Semaphore(AT_ONCE)
    total = start

    async def one(source: Path, target: Path) -> None:
        nonlocal total
        async with limit:
            size = await asyncio.to_thread(_copy, source, target)
        total = Transferred(total.bytes + size, total.files + 1, total.skipped)
        progress(total)

    try:
        async with asyncio.TaskGroup() as group:
            for source, target in pairs:
                group.create_task(one(source, target))
    except* StorageError as errors:
        raise errors.exceptions[0] from None
    await asyncio.to_thread(_sync_directories, {target.parent for _, target in pairs})
    return total


def _copy(source: Path, target: Path) -> int:
    """Copy one file so that `target` is the old or the whole new content at every moment. Returns its size."""
    part = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, dir=target.parent)
        part = Path(name)
        with os.fdopen(descriptor, "wb") as writer, source.open("rb") as reader:
            size = _copy_content(reader, writer, source)
            os.fsync(writer.fileno())
            os.fchmod(writer.fileno(), stat.S_IMODE(os.fstat(reader.fileno()).st_mode) | stat.S_IRUSR | stat.S_IWUSR)
        part.replace(target)
        part = None
    except OSError as error:
        raise StorageError(f"cannot copy {source} to {target}: {error.strerror}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return size


def _copy_content(reader: BinaryIO, writer: BinaryIO, source: Path) -> int:
    """Copy as many bytes as the source has now; its owner may append meanwhile, but not cut it short."""
    expected = os.fstat(reader.fileno()).st_size
    copied = 0
    while copied < expected and (piece := reader.read(min(expected - copied, CHUNK_BYTES))):
        copied += writer.write(piece)
    writer.flush()
    if os.fstat(writer.fileno()).st_size != expected:
        raise StorageError(f"{source} shrank while it was copied: {expected} bytes before, {copied} copied")
    return expected


def _sync_directories(directories: set[Path]) -> None:
    """Make the renames durable."""
    for directory in directories:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
