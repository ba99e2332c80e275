"""Texts and plans as blobs. What was stored before is not sent again."""

import hashlib
from typing import Final

from osmo_eventlog.ports import Blobs

_MOST_KNOWN: Final = 4096


class Texts:
    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._known: dict[str, None] = {}

    async def put(self, data: bytes) -> str:
        """The digest under which the bytes are stored now. Blobs are kept as long as anything refers to them, so a known one is there."""
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._known:
            await self._blobs.put(data)
        self._known.pop(digest, None)
        self._known[digest] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return digest

    async def get(self, digest: str) -> bytes:
        return await self._blobs.get(digest)
