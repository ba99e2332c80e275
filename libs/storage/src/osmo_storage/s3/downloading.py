"""From objects to files. A file appears whole or not at all, with the bytes that the server's checksum names where it has one."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from osmo_storage.at_once import each
from osmo_storage.local_files import PART_PREFIX, KeyFilter
from osmo_storage.pace import parts
from osmo_storage.progress import Progress
from osmo_storage.s3.checksums import file_has
from osmo_storage.s3.connection import Connection
from osmo_storage.s3.listing import Listed, head_object, listed
from osmo_storage.s3.reading import read_piece
from osmo_storage.stored import StorageError, StorageRefused, Transferred

Result = TypeVar("Result")


async def download(
    connection: Connection, directory: Path, wanted: KeyFilter, progress: Progress, *, resume: bool = False
) -> Transferred:
    """With `resume`, files that are there already with the same content are not fetched again."""
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    objects = [entry async for entry in listed(connection, wanted)]
    for entry in objects:
        _check_key(connection, entry)
    total = Transferred()

    async def one(entry: Listed) -> None:
        nonlocal total
        target = directory / entry.relative
        if not (resume and await asyncio.to_thread(_already, target, entry, connection.pace.part_size(entry.size))):
            await _fetch(connection, entry, target)
        total = total.and_one(entry.size)
        progress(total)

    await each(objects, one, connection.pace.at_once)
    return total


def _check_key(connection: Connection, entry: Listed) -> None:
    """What others wrote may have any key; a file must stay below its directory."""
    if "\0" in entry.relative or any(part in ("", ".", "..") for part in entry.relative.split("/")):
        raise StorageRefused(f"{connection.name(entry.key)!r} has a key that cannot be a path", "storage.bad_key")


def _already(target: Path, entry: Listed, part: int) -> bool:
    try:
        return target.stat().st_size == entry.size and bool(file_has(target, entry.size, entry.etag, part))
    except OSError:
        return False


async def _fetch(connection: Connection, entry: Listed, target: Path) -> None:
    part = await _on_disk(entry, target, lambda: _begin(target))
    try:
        await _fill(connection, entry, part)
        await _check_content(connection, entry, part)
        await _on_disk(entry, target, lambda: _finish(part, target))
    except BaseException:
        part.unlink(missing_ok=True)
        raise


async def _fill(connection: Connection, entry: Listed, part: Path) -> None:
    pieces = parts(entry.size, connection.pace.part_bytes)

    async def one(piece: tuple[int, int]) -> None:
        start, length = piece
        async with connection.memory.held(length):
            data = await read_piece(connection, entry.key, start, length, entry.size, entry.etag)
            await _on_disk(entry, part, lambda: _write(part, start, data))

    await each(pieces, one, min(len(pieces), connection.pace.at_once))


async def _check_content(connection: Connection, entry: Listed, part: Path) -> None:
    """An ETag looks like a checksum, and is none, where the server encrypts with a key of the customer's: then the length has to do."""
    part_size = connection.pace.part_size(entry.size)
    if await _on_disk(entry, part, lambda: file_has(part, entry.size, entry.etag, part_size)) is not False:
        return
    head = await head_object(connection, entry.key)
    if not _encrypted_with_own_key(head):
        raise StorageError(f"{connection.name(entry.key)} came with other bytes than its checksum says")


def _encrypted_with_own_key(head: Mapping[str, Any]) -> bool:
    return "SSECustomerAlgorithm" in head or str(head.get("ServerSideEncryption", "")).startswith("aws:")


async def _on_disk(entry: Listed, path: Path, work: Callable[[], Result]) -> Result:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise StorageError(f"cannot keep {entry.key!r} as {path}: {error.strerror}") from error


def _begin(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, dir=target.parent)
    os.close(descriptor)
    return Path(name)


def _write(part: Path, start: int, data: bytes) -> None:
    descriptor = os.open(part, os.O_WRONLY)
    try:
        at = 0
        while at < len(data):
            at += os.pwrite(descriptor, memoryview(data)[at:], start + at)
    finally:
        os.close(descriptor)


def _finish(part: Path, target: Path) -> None:
    part.chmod(0o644)
    part.replace(target)
