"""The weather of one run: how slow and how lossy everything is, decided by the seed."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from osmo_domain.errors import Transient
from osmo_eventlog.memory.faults import Operation

_STRAYING = frozenset({"append", "publish"})


@dataclass(frozen=True)
class Weather:
    """Chances per operation. `slow_s` bounds an ordinary delay; one in a hundred takes up to fifty times as long."""

    lost_before: float
    lost_after: float
    stray: float
    slow_s: float


def weather(rng: random.Random) -> Weather:
    """From a calm day to one on which every twentieth message is lost."""
    badness = rng.choice((0.0, 0.002, 0.01, 0.05))
    return Weather(lost_before=badness, lost_after=badness, stray=badness, slow_s=rng.choice((0.001, 0.01, 0.05)))


class SeededFaults:
    """The port of osmo_eventlog.memory.faults, until `calm` is called. Every draw is from the one random source of the run."""

    def __init__(self, rng: random.Random, weather: Weather, *, spared: str) -> None:
        """The client called `spared` has good weather always."""
        self._rng = rng
        self._weather = weather
        self._spared = spared
        self._on = True

    def calm(self) -> None:
        self._on = False

    async def before(self, client: str, operation: Operation, subject: str) -> None:
        if client == self._spared:
            return
        await self._delay()
        self._lose(self._weather.lost_before, client, operation, subject)

    async def after(self, client: str, operation: Operation, subject: str) -> None:
        if client == self._spared:
            return
        await self._delay()
        self._lose(self._weather.lost_after, client, operation, subject)

    def strays(self, client: str, operation: Operation, subject: str) -> Sequence[float]:
        if self._on and operation in _STRAYING and self._rng.random() < self._weather.stray:
            return (self._rng.random() * 30,)
        return ()

    async def _delay(self) -> None:
        if not self._on:
            return
        factor = 50 if self._rng.random() < 0.01 else 1
        await asyncio.sleep(self._rng.random() * self._weather.slow_s * factor)

    def _lose(self, chance: float, client: str, operation: Operation, subject: str) -> None:
        if self._on and self._rng.random() < chance:
            raise Transient(f"the weather took {operation} {subject} of {client}", delay_s=0.1)
