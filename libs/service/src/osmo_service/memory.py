"""Memory that a burst of work took goes back to the machine when the burst is over: the allocator keeps it otherwise, for bursts to come."""

import asyncio
import ctypes
from collections.abc import Callable

LOOK_EVERY_S = 1.0
WORTH_IT_S = 0.2
"""So much CPU since the last time may have left something behind."""

IDLE = 0.2
"""Share of a core below which it is no burst any more."""


def allocator_trim() -> Callable[[], None] | None:
    """What gives back what this process has freed (milliseconds); None where the C library has no such thing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return None

    def give_back() -> None:
        trim(0)

    return give_back


class Bursts:
    """Told the CPU seconds used so far at each look; says when a burst is over."""

    def __init__(self, used_s: float) -> None:
        self._used_s = used_s
        self._since_s = 0.0

    def over(self, used_s: float, looked_after_s: float) -> bool:
        lately, self._used_s = used_s - self._used_s, used_s
        self._since_s += lately
        if self._since_s < WORTH_IT_S or lately > IDLE * looked_after_s:
            return False
        self._since_s = 0.0
        return True


async def give_back_memory(give_back: Callable[[], None], cpu_s: Callable[[], float]) -> None:
    """For ever: after every burst."""
    bursts = Bursts(cpu_s())
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if bursts.over(cpu_s(), LOOK_EVERY_S):
            give_back()
