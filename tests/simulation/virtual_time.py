"""An event loop in which time passes only when everybody waits. A second of sleeping costs nothing, and two runs are alike to the bit."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Deadlock(RuntimeError):
    """Everybody waits, and nothing will ever happen."""


class Runaway(RuntimeError):
    """More steps than any healthy run takes: something spins."""


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for a file it moves its loop's clock to the next timer."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`steps` bounds how often the loop may turn, so that a busy loop in virtual time is an error and not a hang."""

    def __init__(self, steps: int = 1_000_000) -> None:
        self._virtual_now = 0.0
        self._steps_left = steps
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._virtual_now

    def jump(self, timeout: float | None) -> None:
        self._steps_left -= 1
        if self._steps_left <= 0:
            raise Runaway(f"too many steps by {self._virtual_now:.3f} s of virtual time")
        if timeout is None:
            raise Deadlock(f"nothing left to happen at {self._virtual_now:.3f} s of virtual time")
        if timeout > 0:
            self._virtual_now += timeout


class VirtualClock:
    """The wall clock that belongs to a virtual loop: microsecond steps, so that times survive being written down."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=round(self._loop.time() * 1_000_000))


def run_virtual(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run to the end on this loop, then cancel what is left and close."""
    asyncio.set_event_loop(None)
    try:
        task = loop.create_task(main)
        return loop.run_until_complete(task)
    finally:
        leftovers = [task for task in asyncio.all_tasks(loop) if not task.done()]
        for leftover in leftovers:
            leftover.cancel()
        if leftovers:
            loop.run_until_complete(asyncio.gather(*leftovers, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
