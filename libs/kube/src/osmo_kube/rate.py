"""How hard the API server is worked: so many requests at once, and so many per second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Rate:
    """`burst` may go at once after a pause. First come, first served."""

    def __init__(self, at_once: int, per_s: float, burst: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._gap_s = 1 / per_s
        self._slack_s = burst / per_s
        self._due = 0.0
        """When the next request would be due if all had kept to `per_s`."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Entered when it is this request's turn; hold it until the answer is there."""
        async with self._slots:
            await self._wait()
            yield

    async def _wait(self) -> None:
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now - self._slack_s) + self._gap_s
        if self._due > now:
            await asyncio.sleep(self._due - now)
