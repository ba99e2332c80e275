"""JSON that is encoded once although some of its numbers grow with the time: seconds since moments that stand fixed. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Raw, Struct

_ENCODER: Final = msgspec.json.Encoder()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_MARK: Final = b"\x00"
"""Stands nowhere in JSON: in texts it is escaped."""
MOVING: Final = Raw(_MARK)
"""What is encoded in the place of such a number."""


class MovingJson(Struct, frozen=True):
    """`pieces` are what stands before, between and behind the numbers; `since` are the moments, in microseconds."""

    pieces: tuple[bytes, ...]
    since: tuple[int, ...]

    def at(self, now: datetime) -> bytes:
        """With the numbers as they are now."""
        if not self.since:
            return self.pieces[0]
        now_us = micros(now)
        seconds = [max(0, now_us - since) / 1e6 for since in self.since]
        parts = [b""] * (len(self.pieces) + len(seconds))
        parts[::2] = self.pieces
        parts[1::2] = _ENCODER.encode(seconds)[1:-1].split(b",")
        return b"".join(parts)

    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        return sum(map(len, self.pieces)) + 100 * len(self.pieces)


def moving_json(encoded: bytes, since: Iterable[int]) -> MovingJson:
    """Of JSON that was encoded with MOVING in the places of the numbers, in their order."""
    return MovingJson(tuple(encoded.split(_MARK)), tuple(since))


def micros(at: datetime) -> int:
    """Microseconds of this moment, exactly."""
    return (at - _EPOCH) // _MICROSECOND
