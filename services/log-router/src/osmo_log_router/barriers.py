"""The start barrier of a group: nobody's command starts before everybody is there.

Who waits is known in memory only, because control containers repeat that they wait: after a restart of the router, or through another
connection, the set fills again. Who was released once is released again at once. One replica per installation, so far: with several,
members of one group may wait at different ones.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from osmo_api.ctrl import Barrier
from osmo_log_router.attempt import Attempt

Release = Callable[[], Awaitable[None]]
Unfinished = Callable[[str, str], Awaitable[int]]
"""(workflow id, group) to how many of its tasks have not ended."""

KEPT = 10_000


@dataclass(slots=True)
class _Gate:
    """`waiting` maps a task to its attempt and how to let it go."""

    waiting: dict[str, tuple[Attempt, Release]] = field(default_factory=dict)
    released: set[Attempt] = field(default_factory=set)


class Barriers:
    def __init__(self, unfinished: Unfinished) -> None:
        self._unfinished = unfinished
        self._gates: OrderedDict[tuple[str, str, str], _Gate] = OrderedDict()

    async def arrive(self, attempt: Attempt, barrier: Barrier, release: Release) -> None:
        """The attempt waits (or says so again). Releases everybody who waits once enough are there."""
        gate = self._gate((attempt.workflow_id, barrier.group, barrier.name))
        if attempt in gate.released:
            await release()
            return
        gate.waiting[attempt.task] = (attempt, release)
        needed = barrier.count if barrier.count > 0 else await self._unfinished(attempt.workflow_id, barrier.group)
        if len(gate.waiting) >= needed:
            await self._open(gate)

    def leave(self, attempt: Attempt, release: Release) -> None:
        """The connection is over: it can not be told any more, and waits again when it comes back."""
        for key, gate in self._gates.items():
            if key[0] == attempt.workflow_id and gate.waiting.get(attempt.task) == (attempt, release):
                del gate.waiting[attempt.task]

    def _gate(self, key: tuple[str, str, str]) -> _Gate:
        gate = self._gates.setdefault(key, _Gate())
        self._gates.move_to_end(key)
        if len(self._gates) > KEPT:
            self._gates.popitem(last=False)
        return gate

    async def _open(self, gate: _Gate) -> None:
        waiting = list(gate.waiting.values())
        gate.waiting.clear()
        gate.released.update(attempt for attempt, _ in waiting)
        await _all(release() for _, release in waiting)


async def _all(releases: Iterable[Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as together:
        for release in releases:
            together.create_task(_one(release))


async def _one(release: Awaitable[None]) -> None:
    await release
