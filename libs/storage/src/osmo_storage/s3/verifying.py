"""Asking again for what was stored: it counts when the server says by itself that it has these bytes.

One by one, or, where many objects were stored side by side, a page of a listing at a time: what a listing does not confirm is asked for itself.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from osmo_storage.at_once import each
from osmo_storage.local_files import open_file, read_file
from osmo_storage.pace import parts
from osmo_storage.s3.checksums import plain
from osmo_storage.s3.connection import Connection
from osmo_storage.s3.listing import head_object, page_after
from osmo_storage.s3.reading import read_piece
from osmo_storage.stored import StorageError, StorageRefused

_MANY: Final = 50
_PAGES: Final = 4
"""Of one listing: where more objects of others lie between ours, it is cheaper to ask for each of ours."""


@dataclass(frozen=True, slots=True)
class Sent:
    """`etag` is what the bytes must have; `answered` is what the server said when it had them."""

    path: Path
    key: str
    size: int
    etag: str
    answered: str


async def verify(connection: Connection, sent: Sequence[Sent]) -> None:
    """Raises StorageError where one of them is not stored as it was sent."""
    open_ones = {one.key: one for one in sent}
    if len(sent) >= _MANY:
        await _strike_out_listed(connection, open_ones)
    await each(list(open_ones.values()), lambda one: _verify_one(connection, one), connection.pace.at_once)


async def _strike_out_listed(connection: Connection, open_ones: dict[str, Sent]) -> None:
    """Who may not list may still look at single objects."""
    prefix, last = connection.location.prefix, max(open_ones)
    after = _just_before(min(open_ones))
    try:
        for _ in range(_PAGES):
            page = await page_after(connection, prefix, after)
            for entry in page:
                one = open_ones.get(entry.key)
                if one is not None and (entry.size, plain(entry.etag)) == (one.size, one.etag):
                    del open_ones[entry.key]
            if not page or page[-1].key >= last:
                return
            after = page[-1].key
    except StorageRefused:
        return


def _just_before(key: str) -> str:
    """A key that is not behind this one, and has no more before it than need be."""
    return key[:-1]


async def _verify_one(connection: Connection, one: Sent) -> None:
    """Where the server's ETags are no checksums, the bytes are read back."""
    name = connection.name(one.key)
    head = await head_object(connection, one.key)
    if head["ContentLength"] != one.size:
        raise StorageError(f"{name} has {head['ContentLength']} bytes after {one.size} were stored")
    etag = plain(head.get("ETag", ""))
    if etag == one.etag:
        return
    if etag != one.answered:
        raise StorageError(f"{name} was replaced by somebody else while it was stored")
    await _read_back(connection, one)


async def _read_back(connection: Connection, one: Sent) -> None:
    opened = await open_file(one.path)
    try:
        for start, length in parts(one.size, connection.pace.part_bytes):
            async with connection.memory.held(2 * length):
                stored = await read_piece(connection, one.key, start, length, one.size)
                if stored != await read_file(opened, one.path, start, length):
                    raise StorageError(f"{connection.name(one.key)} is not what was stored: bytes differ after {start}")
    finally:
        os.close(opened)
