"""The next number of a workflow name. A guess from what was used last: whoever appends first has the number, and the others try the next.

The NAMES stream holds the last used number of each name, as a hint that survives us and that replicas share. It is written a
moment later, for all names at once; a crash in between costs a few more tries and nothing else.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from osmo_domain.errors import Transient
from osmo_eventlog.ports import EventLog
from osmo_eventlog.subjects import NAMES, name_counter

_MOST_NAMES: Final = 100_000
_WRITE_EVERY_S: Final = 0.5
_WRITES_AT_ONCE: Final = 64
_SMALL_STEPS: Final = 3


class Numbers:
    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._last: dict[str, int] = {}
        self._unwritten: dict[str, int] = {}

    async def next(self, name: str, *, conflicts: int = 0) -> int:
        """A number that this service has not given before, greater than the hint. After several conflicts in a row the steps grow."""
        if name not in self._last or conflicts:
            hint = await self._hint(name)
            self._remember(name, max(self._last.get(name, 0), hint))
        step = 1 if conflicts <= _SMALL_STEPS else 1 << (conflicts - _SMALL_STEPS)
        number = self._last[name] + step
        self._remember(name, number)
        return number

    def used(self, name: str, number: int) -> None:
        """The number is taken, by us."""
        self._unwritten[name] = max(number, self._unwritten.get(name, 0))

    async def write_hints(self) -> None:
        """Root loop: write the hints that have changed."""
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        unwritten, self._unwritten = self._unwritten, {}
        names = list(unwritten)
        for start in range(0, len(names), _WRITES_AT_ONCE):
            await self._write({name: unwritten[name] for name in names[start : start + _WRITES_AT_ONCE]})

    async def _write(self, numbers: Mapping[str, int]) -> None:
        """Hints that cannot be written are let go: the next use of the name writes again."""
        writes = [
            self._log.publish(name_counter(name), str(number).encode(), message_id=f"{name}-{number}")
            for name, number in numbers.items()
        ]
        for result in await asyncio.gather(*writes, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, Transient):
                raise result

    async def _hint(self, name: str) -> int:
        record = await self._log.last(NAMES, name_counter(name))
        return int(record.data) if record is not None and record.data.isdigit() else 0

    def _remember(self, name: str, number: int) -> None:
        if len(self._last) >= _MOST_NAMES and name not in self._last:
            del self._last[next(iter(self._last))]
        self._last[name] = number
