"""Growing pauses between tries, the same everywhere: doubling from `first_s` to `most_s`, each shortened at random by up to a half."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from osmo_domain.errors import Transient

T = TypeVar("T")

log = logging.getLogger("osmo.backoff")


class Backoff:
    def __init__(self, rng: random.Random, *, first_s: float = 0.1, most_s: float = 5.0) -> None:
        self._rng = rng
        self._first_s = first_s
        self._most_s = most_s
        self._tries = 0

    def next_s(self) -> float:
        whole = min(self._most_s, self._first_s * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return whole * (0.5 + 0.5 * self._rng.random())

    def reset(self) -> None:
        self._tries = 0

    async def pause(self) -> None:
        await asyncio.sleep(self.next_s())


async def until_done(
    attempt: Callable[[], Awaitable[T]],
    *,
    what: str,
    rng: random.Random,
    on_failure: Callable[[], None] | None = None,
) -> T:
    """Try until it works, however long an outside thing is away; only Transient is tried again. Says so once per ten tries."""
    backoff, tries = Backoff(rng), 0
    while True:
        try:
            return await attempt()
        except Transient as error:
            if on_failure is not None:
                on_failure()
            if tries % 10 == 0:
                log.warning("not done yet, trying again", extra={"what": what, "why": str(error), "tries": tries + 1})
            tries += 1
            await backoff.pause()
