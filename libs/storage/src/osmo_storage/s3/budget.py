"""A bound on memory that is shared by all that travels at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Budget:
    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[None]:
        """Wait until so much is free, and hold it. More than there is at all counts as all of it."""
        taken = min(size, self._size)
        async with self._freed:
            await self._freed.wait_for(lambda: self._free >= taken)
            self._free -= taken
        try:
            yield
        finally:
            self._free += taken
            async with self._freed:
                self._freed.notify_all()
