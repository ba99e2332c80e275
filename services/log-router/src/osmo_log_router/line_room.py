"""How much may wait for the log, so that a flood on many connections takes no more memory than one on a few."""

MOST = 1024 * 1024
LEAST = 64 * 1024
ALL = 4 * 1024 * 1024
"""Of text; its objects take about twice as much."""


class LineRoom:
    """Everybody who sends lines has the same share of the room; `LEAST` is what a batch needs to be worth its append."""

    def __init__(self) -> None:
        self.senders = 0

    def enter(self) -> None:
        self.senders += 1

    def leave(self) -> None:
        self.senders -= 1

    @property
    def share(self) -> int:
        """Bytes that one sender may have waiting."""
        return max(LEAST, min(MOST, ALL // max(1, self.senders)))
