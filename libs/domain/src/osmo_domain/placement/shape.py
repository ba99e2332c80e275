"""What groups ask for, without their names: groups of one shape fit alike, so that one of them is tried for all."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from msgspec import Struct

from osmo_domain.placement.model import PendingGroup, TaskRequest
from osmo_domain.plan import Resources

_Size = tuple[int, int, int, int, str, tuple[str, ...], tuple[tuple[str, str, bool], ...]]


class Shape(Struct, frozen=True):
    """Different resources, each with how many tasks ask for them; the largest first."""

    asks: tuple[tuple[Resources, int], ...]

    @property
    def gpus(self) -> int:
        return sum(resources.gpu * count for resources, count in self.asks)

    @property
    def tasks(self) -> int:
        return sum(count for _, count in self.asks)

    @property
    def topological(self) -> bool:
        return any(resources.topology for resources, _ in self.asks)

    def each(self) -> Iterator[Resources]:
        """One for each task, in the order of `in_order`."""
        for resources, count in self.asks:
            for _ in range(count):
                yield resources


def shape_of(group: PendingGroup) -> Shape:
    if len(group.tasks) == 1:
        return Shape(((group.tasks[0].resources, 1),))
    sizes = sorted((task.resources for task in group.tasks), key=_size)
    return Shape(tuple((resources, len(list(same))) for resources, same in groupby(sizes)))


def in_order(tasks: Sequence[TaskRequest]) -> list[str]:
    """The names of the tasks as their shape has them: the largest first, equals by name."""
    if len(tasks) == 1:
        return [tasks[0].task]
    return [task.task for task in sorted(tasks, key=lambda task: (_size(task.resources), task.task))]


def _size(asked: Resources) -> _Size:
    topology = tuple((each.key, each.group, each.required) for each in asked.topology)
    return (
        -asked.gpu,
        -asked.cpu,
        -asked.memory_bytes,
        -asked.storage_bytes,
        asked.platform,
        asked.nodes_excluded,
        topology,
    )
