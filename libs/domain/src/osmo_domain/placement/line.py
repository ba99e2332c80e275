"""Groups that wait: in classes of one pool, priority and shape, each in the order of submission."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime

from osmo_domain.placement.gang import Gang
from osmo_domain.placement.model import RANK, GroupKey, PendingGroup, Turn
from osmo_domain.placement.shape import Shape, shape_of
from osmo_domain.placement.verdict import Verdict
from osmo_domain.pool import Priority

ClassKey = tuple[str, Priority, tuple[str, ...], Shape]
"""Pool, priority, the nodes that it is owed, and shape."""


class Waiters:
    """One class: whoever comes first in it is tried for all. Leaving at the front costs nothing, however many wait."""

    __slots__ = (
        "_front",
        "_turns",
        "barred",
        "gang",
        "gpus",
        "key",
        "owed",
        "pool",
        "priority",
        "rank",
        "shape",
        "version",
    )

    def __init__(self, key: ClassKey) -> None:
        self.key = key
        self.pool, self.priority, self.owed, self.shape = key
        self.rank = -1 if self.owed else RANK[self.priority]
        self.gpus = self.shape.gpus
        self.version = -1
        """Of the floor, for which `gang` and `barred` are true: what rounds have found out about the class."""
        self.gang: Gang | None = None
        self.barred: Verdict | None = None
        self._turns: list[Turn] = []
        self._front = 0

    def __len__(self) -> int:
        return len(self._turns) - self._front

    def join(self, turn: Turn) -> None:
        insort(self._turns, turn, lo=self._front)

    def leave(self, turn: Turn) -> None:
        at = bisect_left(self._turns, turn, lo=self._front)
        if at > self._front:
            del self._turns[at]
            return
        self._front += 1
        if self._front > 1_024 and 2 * self._front > len(self._turns):
            del self._turns[: self._front]
            self._front = 0

    def turn(self, place: int) -> Turn | None:
        """Of the one with so many before it."""
        at = self._front + place
        return self._turns[at] if at < len(self._turns) else None

    def before(self, turn: Turn) -> int:
        return bisect_left(self._turns, turn, lo=self._front) - self._front


class Line:
    """All that wait. Those whose pause is not over are apart until it is."""

    def __init__(self) -> None:
        self.groups: dict[GroupKey, PendingGroup] = {}
        self.classes: dict[ClassKey, Waiters] = {}
        self._class_of: dict[GroupKey, Waiters] = {}
        self._pausing: list[tuple[datetime, GroupKey]] = []

    def __len__(self) -> int:
        return len(self.groups)

    def join(self, group: PendingGroup) -> None:
        """Let it wait; one of the same key that waits already makes way."""
        self.leave(group.key)
        self.groups[group.key] = group
        if group.not_before is None:
            self._line_up(group)
        else:
            heapq.heappush(self._pausing, (group.not_before, group.key))

    def leave(self, key: GroupKey) -> PendingGroup | None:
        group = self.groups.pop(key, None)
        waiters = self._class_of.pop(key, None)
        if group is not None and waiters is not None:
            waiters.leave(group.turn)
            if not len(waiters):
                del self.classes[waiters.key]
        return group

    def _line_up(self, group: PendingGroup) -> None:
        key = group.pool, group.priority, group.owed, shape_of(group)
        waiters = self.classes.get(key)
        if waiters is None:
            waiters = self.classes[key] = Waiters(key)
        waiters.join(group.turn)
        self._class_of[group.key] = waiters

    def wake(self, now: datetime) -> None:
        """Whose pause is over lines up."""
        while self._pausing and self._pausing[0][0] <= now:
            at, key = heapq.heappop(self._pausing)
            group = self.groups.get(key)
            if group is not None and group.not_before == at and key not in self._class_of:
                self._line_up(group)

    def class_of(self, key: GroupKey) -> Waiters | None:
        """None for one that pauses."""
        return self._class_of.get(key)

    def group(self, turn: Turn) -> PendingGroup:
        _, group, workflow_id = turn
        return self.groups[workflow_id, group]

    def of_pool(self, pool: str) -> Iterator[Waiters]:
        return (waiters for waiters in self.classes.values() if waiters.pool == pool)

    def position(self, group: PendingGroup) -> tuple[int, int, GroupKey]:
        """Its place in the line of its pool, from 1; how many wait there; and who is first."""
        rank = group.rank
        ahead = length = 0
        first: list[tuple[int, Turn]] = [(rank, group.turn)]
        for waiters in self.of_pool(group.pool):
            other, turn = waiters.rank, waiters.turn(0)
            length += len(waiters)
            ahead += len(waiters) if other < rank else waiters.before(group.turn) if other == rank else 0
            if turn is not None:
                first.append((other, turn))
        _, name, workflow_id = min(first)[1]
        return ahead + 1, length, (workflow_id, name)
