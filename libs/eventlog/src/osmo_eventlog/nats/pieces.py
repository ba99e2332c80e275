"""Bytes of any size under a subject, as pieces that fit into messages. The first piece is written last: where it is, all are."""

from collections.abc import Iterator

from osmo_domain.errors import Stale
from osmo_eventlog.nats.append import Appending
from osmo_eventlog.nats.stored import StoredMessages

PIECE_BYTES = 512 * 1024
COUNT = "Osmo-Pieces"


class Pieces:
    def __init__(self, appending: Appending, stored: StoredMessages, stream: str) -> None:
        self._appending = appending
        self._stored = stored
        self._stream = stream

    async def put(self, prefix: str, data: bytes, *, once: bool) -> None:
        """Store under `<prefix>.<number>`. With `once`, pieces that are there already stay as they are."""
        parts = list(_split(data))
        for number in reversed(range(len(parts))):
            try:
                await self._appending.append(
                    f"{prefix}.{number}",
                    parts[number],
                    message_id="",
                    expected=0 if once else None,
                    headers={COUNT: str(len(parts))},
                )
            except Stale:
                continue

    async def get(self, prefix: str) -> bytes | None:
        """None where the first piece is not there, or another one is missing."""
        first = await self._stored.last(self._stream, f"{prefix}.0")
        if first is None:
            return None
        parts = [first.payload()]
        for number in range(1, int(first.headers().get(COUNT, "1"))):
            part = await self._stored.last(self._stream, f"{prefix}.{number}")
            if part is None:
                return None
            parts.append(part.payload())
        return b"".join(parts)


def _split(data: bytes) -> Iterator[bytes]:
    for start in range(0, max(len(data), 1), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
