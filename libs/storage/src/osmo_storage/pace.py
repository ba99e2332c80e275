"""How much is done at once, and how long is waited for what."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20
MOST_PARTS: Final = 10_000
"""Of one object, says S3."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Files above `part_bytes` travel in parts of that size. `memory_bytes` bounds what is held of all files together.

    A request may take `patience_s` and what its bytes take at `slowest_bytes_per_s`. After a failure that may pass it is made again,
    `attempts` times at most, after `first_pause_s`, then twice as long, at most `longest_pause_s`, and never after exactly that time.
    """

    at_once: int = 16
    part_bytes: int = 8 * MIB
    memory_bytes: int = 48 * MIB
    attempts: int = 8
    first_pause_s: float = 0.2
    longest_pause_s: float = 10
    connect_s: float = 5
    patience_s: float = 60
    slowest_bytes_per_s: float = 50_000

    def part_size(self, size: int) -> int:
        """Of an object of that size: as few parts as S3 allows, in whole MiB."""
        smallest = -(-size // MOST_PARTS)
        return max(self.part_bytes, -(-smallest // MIB) * MIB if smallest > self.part_bytes else 0)

    def deadline_s(self, size: int) -> float:
        return self.patience_s + size / self.slowest_bytes_per_s


def parts(size: int, part: int) -> list[tuple[int, int]]:
    """Start and length of each part; one empty part of an empty file."""
    return [(start, min(part, size - start)) for start in range(0, size, part)] or [(0, 0)]
