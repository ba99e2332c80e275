"""What the followers bring, gathered until the engine takes it: many messages become one round."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from osmo_eventlog.ports import After, EventLog, Recorded, Seq

ROOM = 8_192


@dataclass(slots=True)
class Arrived:
    """Stream to its messages, in order."""

    records: dict[str, list[Recorded]] = field(default_factory=dict)


class Inbox:
    """Followers wait while more than `ROOM` messages lie here."""

    def __init__(self) -> None:
        self._arrived = Arrived()
        self._count = 0
        self._news = asyncio.Event()
        self._taken = asyncio.Event()

    async def follow(self, log: EventLog, stream: str, subjects: Sequence[str], after: Seq) -> None:
        """Bring everything behind `after`, for ever."""
        async for batch in log.follow(stream, subjects, After(after)):
            while self._count > ROOM:
                self._taken.clear()
                await self._taken.wait()
            self._arrived.records.setdefault(stream, []).extend(batch)
            self._count += len(batch)
            self._news.set()

    def nudge(self) -> None:
        """Something else changed that a round should look at."""
        self._news.set()

    async def take(self, patience_s: float | None) -> Arrived:
        """All that is there; waits for it at most `patience_s`."""
        if patience_s is None or patience_s > 0:
            try:
                async with asyncio.timeout(patience_s):
                    await self._news.wait()
            except TimeoutError:
                pass
        arrived, self._arrived, self._count = self._arrived, Arrived(), 0
        self._news.clear()
        self._taken.set()
        return arrived
