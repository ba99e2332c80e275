"""Which waiting groups get a place, and where. Pure: the same input gives the same decision.

This first policy is first come, first served over real node capacities: HIGH before NORMAL before LOW, then the order of submission;
a group starts as a whole or not at all; what does not fit now waits with a reason and does not hold up what fits.
Quotas, borrowing and preemption come with the scheduler's own issue, behind the same function.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct, field

from osmo_domain.node_fit import Floor, NodeLoad, Refusal
from osmo_domain.plan import Resources
from osmo_domain.pool import Pool, Priority

__all__ = [
    "Decision",
    "NodeLoad",
    "Nodes",
    "PendingGroup",
    "Placement",
    "Pools",
    "Queue",
    "TaskRequest",
    "Waiting",
    "decide_placement",
]


class TaskRequest(Struct, frozen=True):
    task: str
    resources: Resources


class PendingGroup(Struct, frozen=True):
    """A group that waits for a place. `order` is the position of its submission: smaller came first."""

    workflow_id: str
    group: str
    pool: str
    priority: Priority
    order: int
    tasks: tuple[TaskRequest, ...]
    not_before: datetime | None = None


class Placement(Struct, frozen=True):
    workflow_id: str
    group: str
    pool: str
    nodes: dict[str, str]
    quota: str = "guarantee"


class Waiting(Struct, frozen=True):
    """Why a group has no place now: a stable `code` (`capacity`, `node_fit`, `pool`, `backend`, `backoff`) and the numbers in words."""

    workflow_id: str
    group: str
    code: str
    message: str


class Decision(Struct):
    placements: list[Placement] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


Nodes = Mapping[str, Mapping[str, NodeLoad]]
"""Backend name to node name to load; a backend that is offline is not in it."""

Queue = Collection[PendingGroup]
Pools = Mapping[str, Pool]


def decide_placement(queue: Queue, pools: Pools, nodes: Nodes, now: datetime) -> Decision:
    """A place for every group that fits now, and a reason for every one that does not. Changes nothing that it is given."""
    decision = Decision()
    floors: dict[str, Floor] = {}
    hopeless: dict[_Shape, Refusal] = {}
    for group in sorted(queue, key=_turn):
        shape = _shape(group)
        answer = _too_early(group, now) or hopeless.get(shape) or _place(group, pools, nodes, floors)
        if isinstance(answer, Refusal):
            if answer.code != "backoff":
                hopeless[shape] = answer
            decision.waiting.append(Waiting(group.workflow_id, group.group, answer.code, answer.message))
        else:
            decision.placements.append(Placement(group.workflow_id, group.group, group.pool, answer))
    return decision


_RANK: Final = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}

_Shape = tuple[str, tuple[Resources, ...]]


def _turn(group: PendingGroup) -> tuple[int, int, str]:
    return _RANK[group.priority], group.order, group.group


def _shape(group: PendingGroup) -> _Shape:
    """Groups of one shape fit alike: once one of them does not, none does for the rest of the pass, since room only gets less."""
    return group.pool, tuple(task.resources for task in group.tasks)


def _too_early(group: PendingGroup, now: datetime) -> Refusal | None:
    if group.not_before is None or group.not_before <= now:
        return None
    return Refusal("backoff", f"Goes again at {group.not_before:%Y-%m-%dT%H:%M:%SZ}.")


def _place(group: PendingGroup, pools: Pools, nodes: Nodes, floors: dict[str, Floor]) -> dict[str, str] | Refusal:
    pool = pools.get(group.pool)
    if pool is None:
        return Refusal("pool", f"Pool {group.pool} does not exist.")
    if pool.backend not in nodes:
        return Refusal("backend", f"Backend {pool.backend} is offline.")
    floor = floors.get(pool.backend)
    if floor is None:
        floor = floors[pool.backend] = Floor(nodes[pool.backend].values())
    return floor.place([(task.task, task.resources) for task in group.tasks], pool)
