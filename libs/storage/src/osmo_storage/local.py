"""The `file://` adapter: a prefix is a directory of this machine. Every object appears whole or not at all, also under kill -9.

An object is written beside its place under a name that listings leave out, flushed to the disk, measured, and renamed.
All work on files happens in threads, a few files at a time.
"""

import asyncio
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

from osmo_storage.at_once import each
from osmo_storage.local_files import PART_PREFIX, Found, KeyFilter, walk
from osmo_storage.progress import Progress
from osmo_storage.stored import StorageError, StoredObject, Transferred

AT_ONCE: Final = 8
CHUNK_BYTES: Final = 1 << 20


async def upload(directory: Path, prefix: Path, wanted: KeyFilter, progress: Progress) -> Transferred:
    found = await asyncio.to_thread(walk, directory, wanted)
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


def _objects(prefix: Path, wanted: KeyFilter) -> list[Found]:
    """Regular files below the prefix, or the one that the prefix itself names."""
    return [entry for entry in walk(prefix, wanted) if entry.regular]


async def _copy_all(pairs: list[tuple[Path, Path]], start: Transferred, progress: Progress) -> Transferred:
    """Copy every pair, a few at once. The first failure stops the rest and is raised."""
    total = start

    async def one(pair: tuple[Path, Path]) -> None:
        nonlocal total
        size = await asyncio.to_thread(_copy, *pair)
        total = total.and_one(size)
        progress(total)

    await each(pairs, one, AT_ONCE)
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
