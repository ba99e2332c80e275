"""Snapshots: a head per name that says which of two slots is whole; a new snapshot is written into the other slot, then the head changes.

A reader that meets a slot in the middle of being overwritten sees a wrong digest and looks again; after a few looks there is no snapshot, which
costs its user a longer fold and nothing else.
"""

import hashlib

import msgspec

from osmo_eventlog.nats.append import Appending
from osmo_eventlog.nats.names import as_token
from osmo_eventlog.nats.pieces import Pieces
from osmo_eventlog.nats.stored import StoredMessages
from osmo_eventlog.streams import SNAPSHOT_BUCKET

_LOOKS = 3


class Head(msgspec.Struct, frozen=True):
    slot: int
    digest: str


_HEAD = msgspec.json.Decoder(Head)


class NatsSnapshots:
    def __init__(self, appending: Appending, stored: StoredMessages, pieces: Pieces) -> None:
        self._appending = appending
        self._stored = stored
        self._pieces = pieces

    async def put(self, name: str, data: bytes) -> None:
        known = await self._head(name)
        head = Head(slot=1 - known.slot if known else 0, digest=hashlib.sha256(data).hexdigest())
        await self._pieces.put(_slot(name, head.slot), data, once=False)
        await self._appending.append(_subject(name), msgspec.json.encode(head), message_id="")

    async def get(self, name: str) -> bytes | None:
        for _ in range(_LOOKS):
            head = await self._head(name)
            if head is None:
                return None
            data = await self._pieces.get(_slot(name, head.slot))
            if data is not None and hashlib.sha256(data).hexdigest() == head.digest:
                return data
        return None

    async def _head(self, name: str) -> Head | None:
        found = await self._stored.last(SNAPSHOT_BUCKET, _subject(name))
        return _HEAD.decode(found.payload()) if found is not None else None


def _subject(name: str) -> str:
    return f"osmo.snapshot.{as_token(name)}"


def _slot(name: str, slot: int) -> str:
    return f"{_subject(name)}.{slot}"
