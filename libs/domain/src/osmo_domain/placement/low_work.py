"""LOW work that runs: what could be stopped for those who have a right to its room."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge

from osmo_domain.placement.model import GroupKey, Held, PodKey
from osmo_domain.placement.room import Entry, plus

Age = tuple[float, str, str]


class LowGroup:
    """All that runs of one group. It stands or falls as a whole."""

    __slots__ = ("backend", "gpus", "held", "key", "nodes", "pool", "since")

    def __init__(self, first: Held) -> None:
        self.key = first.key
        self.pool = first.pool
        self.backend = first.backend
        self.gpus = 0
        self.since = 0.0
        self.held: dict[PodKey, Held] = {}
        self.nodes: tuple[str, ...] = ()

    @property
    def age(self) -> Age:
        """Smaller is younger."""
        return -self.since, *self.key

    def lost(self, now: datetime) -> float:
        """GPU seconds of work that would be thrown away."""
        return sum(held.resources.gpu * max(0.0, now.timestamp() - _started(held)) for held in self.held.values())

    def leaves(self, entry: Entry, node: str) -> Entry:
        """What would be free on this node without it."""
        return self._changed(entry, node, 1)

    def stays(self, entry: Entry, node: str) -> Entry:
        """What would be free there with it, where it was counted as having left."""
        return self._changed(entry, node, -1)

    def _changed(self, entry: Entry, node: str, sign: int) -> Entry:
        for held in self.held.values():
            if held.node == node:
                entry = (*plus((entry[0], entry[1], entry[2], entry[3]), held.resources, sign), entry[4], entry[5])
        return entry


class LowWork:
    """Per backend and pool, the youngest first. A group that is hidden is not among them, until it is shown again."""

    def __init__(self) -> None:
        self.groups: dict[GroupKey, LowGroup] = {}
        self._by_age: dict[str, dict[str, list[Age]]] = {}
        self._sizes: dict[str, dict[str, Counter[int]]] = {}

    def add(self, held: Held) -> None:
        group = self.groups.get(held.key)
        if group is None:
            group = self.groups[held.key] = LowGroup(held)
        else:
            self.hide(group)
        group.held[held.pod] = held
        group.gpus += held.resources.gpu
        self._measure(group)
        self.show(group)

    def remove(self, held: Held) -> None:
        group = self.groups[held.key]
        self.hide(group)
        del group.held[held.pod]
        group.gpus -= held.resources.gpu
        if group.held:
            self._measure(group)
            self.show(group)
        else:
            del self.groups[held.key]

    def _measure(self, group: LowGroup) -> None:
        group.since = min(_started(held) for held in group.held.values())
        group.nodes = tuple(sorted({held.node for held in group.held.values()}))

    def show(self, group: LowGroup) -> None:
        insort(self._by_age.setdefault(group.backend, {}).setdefault(group.pool, []), group.age)
        self._sizes.setdefault(group.backend, {}).setdefault(group.pool, Counter())[group.gpus] += 1

    def hide(self, group: LowGroup) -> None:
        ages = self._by_age[group.backend][group.pool]
        del ages[bisect_left(ages, group.age)]
        sizes = self._sizes[group.backend][group.pool]
        sizes[group.gpus] -= 1
        if not sizes[group.gpus]:
            del sizes[group.gpus]

    def pools(self, backend: str) -> list[str]:
        """That have any, in no order that means anything."""
        return [pool for pool, ages in self._by_age.get(backend, {}).items() if ages]

    def largest(self, backend: str, pool: str) -> int:
        """GPUs of the largest group."""
        return max(self._sizes.get(backend, {}).get(pool, ()), default=0)

    def youngest(self, backend: str, pools: Iterable[str]) -> Iterator[LowGroup]:
        """Of these pools. Not to be hidden or shown meanwhile."""
        by_age = self._by_age.get(backend, {})
        merged = merge(*(by_age[pool] for pool in pools if pool in by_age))
        return (self.groups[workflow_id, name] for _, workflow_id, name in merged)


def _started(held: Held) -> float:
    return held.since.timestamp() if held.since is not None else 0.0
