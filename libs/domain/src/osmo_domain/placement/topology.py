"""Topology of a gang (reference 4.11): which of its tasks run in one domain of which level, as a tree."""

from collections.abc import Callable, Iterator, Sequence

from osmo_domain.placement.room import Ask, Room
from osmo_domain.pool import Pool


class Branch:
    """Tasks (by number) that share one domain of the level `label`; the root has no label and shares nothing."""

    __slots__ = ("below", "label", "required", "tasks")

    def __init__(self, label: str = "", *, required: bool = False) -> None:
        self.label = label
        self.required = required
        self.tasks: list[int] = []
        self.below: dict[tuple[str, str], Branch] = {}

    def all(self) -> Iterator[int]:
        yield from self.tasks
        for branch in self.below.values():
            yield from branch.all()

    def branches(self) -> list["Branch"]:
        """The largest first."""
        return sorted(self.below.values(), key=lambda branch: -len(list(branch.all())))


def topology_of(asks: Sequence[Ask], pool: Pool) -> Branch:
    """The tree of these tasks. A level that the pool does not have (any more) binds nobody; a branch is required as its first task says."""
    root = Branch()
    for number, ask in enumerate(asks):
        branch = root
        wanted = {each.key: each for each in ask.resources.topology}
        for level in pool.topology_keys:
            demand = wanted.get(level.key)
            if demand is not None:
                key = level.label, demand.group
                if key not in branch.below:
                    branch.below[key] = Branch(level.label, required=demand.required)
                branch = branch.below[key]
        branch.tasks.append(number)
    return root


def domains(
    rooms: Sequence[Room], label: str, needed_gpus: int, free_gpus: Callable[[Room], int]
) -> Iterator[Sequence[Room]]:
    """The domains of this level that have the GPUs, those that have the fewest first. Nodes without the label are in none."""
    by_value: dict[str, list[Room]] = {}
    for room in rooms:
        value = room.load.fact.labels.get(label)
        if value is not None:
            by_value.setdefault(value, []).append(room)
    sizes = sorted((sum(map(free_gpus, members)), value) for value, members in by_value.items())
    return (by_value[value] for free, value in sizes if free >= needed_gpus)
