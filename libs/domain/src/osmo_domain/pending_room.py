"""What the nodes of a backend have for a task, for whoever asks why it waits: free room, and which constraint removes which nodes.

This walks over all nodes, once per question; decisions never do.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from osmo_domain.clusters import node_in_platform
from osmo_domain.node_fit import NodeLoad
from osmo_domain.pending import Constraint, Exclusion, FreeRoom
from osmo_domain.plan import Resources
from osmo_domain.pool import Platform, Pool


class Amounts(Struct, frozen=True):
    """What a node offers, or a task asks: GPUs, CPUs, bytes. In the order in which they are said to be short."""

    gpu: float
    cpu: float
    memory: float
    storage: float

    def short(self, asked: "Amounts") -> Constraint | None:
        """The first of them that is less than asked. What is not asked for may be short."""
        for constraint, wanted, offered in zip(_AMOUNTS, asked.each, self.each, strict=True):
            if wanted and offered < wanted:
                return constraint
        return None

    def times(self, asked: "Amounts") -> int:
        """How many such tasks fit into this; none where nothing is asked for."""
        each = [int(offered // wanted) for wanted, offered in zip(asked.each, self.each, strict=True) if wanted]
        return max(0, min(each, default=0))

    @property
    def each(self) -> tuple[float, float, float, float]:
        return self.gpu, self.cpu, self.memory, self.storage

    def of(self, constraint: Constraint) -> int:
        return int(self.each[_AMOUNTS.index(constraint)])


_AMOUNTS: Final = (Constraint.GPU, Constraint.CPU, Constraint.MEMORY, Constraint.STORAGE)

Offer = Callable[[NodeLoad], Amounts]


def asked_of(resources: Resources) -> Amounts:
    return Amounts(resources.gpu, resources.cpu, resources.memory_bytes, resources.storage_bytes)


def free_now(load: NodeLoad) -> Amounts:
    """What neither our placements nor others use."""
    fact = load.fact
    return Amounts(
        fact.gpu - fact.used_gpu - load.promised_gpu,
        fact.cpu - fact.used_cpu - load.promised_cpu,
        fact.memory_bytes - fact.used_memory_bytes - load.promised_memory_bytes,
        fact.storage_bytes - fact.used_storage_bytes - load.promised_storage_bytes,
    )


def when_empty(load: NodeLoad) -> Amounts:
    """What the node would have without our work on it."""
    fact = load.fact
    return Amounts(
        fact.gpu - fact.used_gpu,
        fact.cpu - fact.used_cpu,
        fact.memory_bytes - fact.used_memory_bytes,
        fact.storage_bytes - fact.used_storage_bytes,
    )


def platform_name(pool: Pool, resources: Resources) -> str:
    """The platform that the request means: its own, or the pool's default; empty where the pool has none."""
    return resources.platform or pool.default_platform or ""


def free_room(platform: str, pool: Pool, resources: Resources, loads: Iterable[NodeLoad]) -> FreeRoom:
    """What is free now on one platform, and how many tasks like this one would fit there together."""
    nodes = [load for load in loads if _allowed(load, platform, pool, resources) is None]
    free, asked = [free_now(load) for load in nodes], asked_of(resources)
    return FreeRoom(
        platform=platform,
        nodes=len(nodes),
        free_gpus=int(sum(max(0, each.gpu) for each in free)),
        most_gpus=int(max((each.gpu for each in free), default=0)),
        gang=sum(each.times(asked) for each in free),
    )


def exclusions(
    task: str, pool: Pool, resources: Resources, loads: Iterable[NodeLoad], offer: Offer
) -> tuple[Exclusion, ...]:
    """Which constraint keeps the task off how many nodes: each node counts once, at the first that does. `offer` is what a node has."""
    platform, asked = platform_name(pool, resources), asked_of(resources)
    out: dict[Constraint, list[Amounts]] = {}
    for load in loads:
        amounts = offer(load)
        constraint = _allowed(load, platform, pool, resources) or amounts.short(asked)
        if constraint is not None:
            out.setdefault(constraint, []).append(amounts)
    return tuple(_exclusion(task, each, asked, out[each]) for each in Constraint if each in out)


def largest(tasks: Iterable[tuple[str, Resources]]) -> tuple[str, Resources]:
    """The task that is hardest to place."""
    return max(tasks, key=lambda task: (asked_of(task[1]).each, task[0]))


def _exclusion(task: str, constraint: Constraint, asked: Amounts, offered: Sequence[Amounts]) -> Exclusion:
    if constraint not in _AMOUNTS:
        return Exclusion(constraint, len(offered), task)
    most = max(each.of(constraint) for each in offered)
    return Exclusion(constraint, len(offered), task, asked.of(constraint), most)


def _allowed(load: NodeLoad, platform: str, pool: Pool, resources: Resources) -> Constraint | None:
    """What keeps the task off this node, however much room it has."""
    if not load.fact.available:
        return Constraint.UNAVAILABLE
    wanted = pool.platforms.get(platform) if platform else Platform()
    if wanted is None or not node_in_platform(load.fact, wanted):
        return Constraint.PLATFORM
    return Constraint.NODES_EXCLUDED if load.fact.name in resources.nodes_excluded else None
