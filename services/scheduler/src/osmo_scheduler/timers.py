"""Deadlines of all workflows, soonest first."""

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime

from osmo_domain.workflow.deadlines import Deadline

ROOM = 1_024


class Timers:
    """A heap that is never searched: a deadline that is no longer true is found out when it is due, and swept when too many gather."""

    def __init__(self, alive: Callable[[str], bool]) -> None:
        self._heap: list[tuple[Deadline, str]] = []
        self._alive = alive
        self._sweep_at = ROOM

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, workflow_id: str, deadlines: Iterable[Deadline]) -> None:
        for deadline in deadlines:
            heapq.heappush(self._heap, (deadline, workflow_id))
        if len(self._heap) > self._sweep_at:
            self._sweep()

    def next_at(self) -> datetime | None:
        return self._heap[0][0].at if self._heap else None

    def take_due(self, now: datetime) -> dict[str, list[Deadline]]:
        """Everything that is due by now, by workflow; it is gone from here."""
        due: dict[str, list[Deadline]] = {}
        while self._heap and self._heap[0][0].at <= now:
            deadline, workflow_id = heapq.heappop(self._heap)
            due.setdefault(workflow_id, []).append(deadline)
        return due

    def _sweep(self) -> None:
        self._heap = [item for item in self._heap if self._alive(item[1])]
        heapq.heapify(self._heap)
        self._sweep_at = 2 * len(self._heap) + ROOM
