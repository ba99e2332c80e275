"""LOW work that runs: what could be stopped for those who have a right to its room."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime

from osmo_domain.placement.model import GroupKey, Held, PodKey

_Age = tuple[float, str, str]


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
    def age(self) -> _Age:
        """Smaller is younger."""
        return -self.since, *self.key

    def lost(self, now: datetime) -> float:
        """GPU seconds of work that would be thrown away."""
        return sum(held.resources.gpu * max(0.0, now.timestamp() - _started(held)) for held in self.held.values())


class LowWork:
    """Per backend, the youngest first."""

    def __init__(self) -> None:
        self.groups: dict[GroupKey, LowGroup] = {}
        self._by_age: dict[str, list[_Age]] = {}

    def add(self, held: Held) -> None:
        group = self.groups.get(held.key)
        if group is None:
            group = self.groups[held.key] = LowGroup(held)
        else:
            self._unsort(group)
        group.held[held.pod] = held
        group.gpus += held.resources.gpu
        self._sort(group)

    def remove(self, held: Held) -> None:
        group = self.groups[held.key]
        self._unsort(group)
        del group.held[held.pod]
        group.gpus -= held.resources.gpu
        if group.held:
            self._sort(group)
        else:
            del self.groups[held.key]

    def _sort(self, group: LowGroup) -> None:
        group.since = min(_started(held) for held in group.held.values())
        group.nodes = tuple(sorted({held.node for held in group.held.values()}))
        insort(self._by_age.setdefault(group.backend, []), group.age)

    def _unsort(self, group: LowGroup) -> None:
        ages = self._by_age[group.backend]
        del ages[bisect_left(ages, group.age)]

    def youngest(self, backend: str) -> Iterator[LowGroup]:
        return (self.groups[workflow_id, name] for _, workflow_id, name in self._by_age.get(backend, ()))


def _started(held: Held) -> float:
    return held.since.timestamp() if held.since is not None else 0.0
