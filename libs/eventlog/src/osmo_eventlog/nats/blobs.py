"""Blobs: one message where the bytes fit into one (most do), else pieces. The digest is the name, so that putting again changes nothing."""

import hashlib

from osmo_eventlog.nats.pieces import Pieces


class NatsBlobs:
    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    async def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        await self._pieces.put(f"osmo.blob.{digest}", data, once=True)
        return digest

    async def get(self, digest: str) -> bytes:
        data = await self._pieces.get(f"osmo.blob.{digest}")
        if data is None:
            raise KeyError(digest)
        return data
