"""Bytes that do not fit into memory, on disk, within a bound. Written once, read in order, forgotten segment by segment.

The files have no name: they vanish with the process.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SEGMENT_BYTES = 8 << 20


class _Segment:
    def __init__(self, directory: Path) -> None:
        self.file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 (closed when its last piece is released)
        self.size = 0
        self.live = 0


@dataclass(frozen=True, slots=True)
class Place:
    segment: _Segment
    offset: int
    length: int


class Spill:
    """At most `bound_bytes` on disk, counted in whole segments. Needs its directory only once something is spilled."""

    def __init__(self, directory: Path, bound_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._directory = directory
        self._bound = bound_bytes
        self._segment_bytes = min(segment_bytes, bound_bytes)
        self._segments: list[_Segment] = []

    def put(self, data: bytes) -> Place | None:
        """Keep the bytes; None when the bound is reached or the disk does not take them."""
        try:
            segment = self._segment_for(len(data))
            if segment is None:
                return None
            if os.pwrite(segment.file.fileno(), data, segment.size) != len(data):
                return None
        except OSError:
            return None
        place = Place(segment, segment.size, len(data))
        segment.size += len(data)
        segment.live += 1
        return place

    def _segment_for(self, length: int) -> _Segment | None:
        last = self._segments[-1] if self._segments else None
        if last is not None and last.size + length <= self._segment_bytes:
            return last
        if self.used_bytes + max(length, self._segment_bytes) > self._bound:
            return None
        self._segments.append(_Segment(self._directory))
        return self._segments[-1]

    @property
    def used_bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    @staticmethod
    def get(place: Place) -> bytes:
        return os.pread(place.segment.file.fileno(), place.length, place.offset)

    def release(self, place: Place) -> None:
        """The bytes are not needed any more."""
        segment = place.segment
        segment.live -= 1
        if segment.live == 0:
            segment.file.close()
            self._segments.remove(segment)
