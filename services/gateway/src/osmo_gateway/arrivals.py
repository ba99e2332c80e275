"""A position that only moves on, and who waits for it; and who watches workflows for changes."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Arrivals:
    """`seq` is the position up to which something has been done here."""

    def __init__(self) -> None:
        self.seq = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._asked = asyncio.Event()

    def arrive(self, seq: int) -> None:
        self.seq = seq
        for wanted, arrival in self._waiting:
            if wanted <= seq and not arrival.done():
                arrival.set_result(None)

    async def reached(self, seq: int, *, within_s: float) -> bool:
        """Wait until the position is reached; False when that takes too long."""
        if self.seq >= seq:
            return True
        arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, arrival))
        self._asked.set()
        try:
            async with asyncio.timeout(within_s):
                await arrival
        except TimeoutError:
            return False
        finally:
            self._waiting = [entry for entry in self._waiting if entry[1] is not arrival]
        return True

    async def nobody_waits(self, for_s: float) -> None:
        """Returns after so long, or as soon as somebody waits for a position."""
        if self._waiting:
            return
        self._asked.clear()
        try:
            async with asyncio.timeout(for_s):
                await self._asked.wait()
        except TimeoutError:
            return


class Watchers:
    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def watching(self, workflow_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever something about this workflow may have changed; the watcher clears it."""
        event = asyncio.Event()
        self._events.setdefault(workflow_id, set()).add(event)
        try:
            yield event
        finally:
            left = self._events[workflow_id]
            left.discard(event)
            if not left:
                del self._events[workflow_id]

    def tell(self, changed: Iterable[str]) -> None:
        for workflow_id in self._events.keys() & set(changed):
            for event in self._events[workflow_id]:
                event.set()
