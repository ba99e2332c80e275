"""What a decision on places is made of, and what it consists of."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct, field

from osmo_domain.node_fit import NodeLoad
from osmo_domain.pending import Reason
from osmo_domain.pending_words import in_words
from osmo_domain.plan import Resources
from osmo_domain.pool import Pool, Priority

GroupKey = tuple[str, str]
"""Workflow id and group."""

PodKey = tuple[str, str, int]
"""Workflow uuid, task and retry_id: an attempt, and its pod."""

Turn = tuple[int, str, str]
"""Order of submission, group, workflow id: smaller goes first among groups of one priority."""

RANK: Final = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}

GUARANTEE: Final = "guarantee"
BORROWED: Final = "borrowed"


class TaskRequest(Struct, frozen=True):
    task: str
    resources: Resources


class PendingGroup(Struct, frozen=True):
    """A group that waits for a place. `order` is the position of its submission: smaller came first.

    `owed`: others were stopped for it on these nodes (one for each task, in the order of its shape); it goes before everybody until it has them.
    """

    workflow_id: str
    group: str
    pool: str
    priority: Priority
    order: int
    tasks: tuple[TaskRequest, ...]
    not_before: datetime | None = None
    owed: tuple[str, ...] = ()

    @property
    def key(self) -> GroupKey:
        return self.workflow_id, self.group

    @property
    def rank(self) -> int:
        return -1 if self.owed else RANK[self.priority]

    @property
    def turn(self) -> Turn:
        return self.order, self.group, self.workflow_id


class Held(Struct):
    """The place of one pod, from the placement until the pod is known to be gone. `since` is when it was given.

    `leaving`: the attempt is over and counts in no quota any more, but the pod may still be there.
    """

    workflow_id: str
    workflow_uuid: str
    task: str
    retry_id: int
    backend: str
    node: str
    resources: Resources
    group: str = ""
    pool: str = ""
    priority: Priority = Priority.NORMAL
    since: datetime | None = None
    leaving: bool = False

    @property
    def pod(self) -> PodKey:
        return self.workflow_uuid, self.task, self.retry_id

    @property
    def key(self) -> GroupKey:
        return self.workflow_id, self.group


class Placement(Struct, frozen=True):
    """A node for every task of the group that waited. `quota` is `guarantee` (HIGH, NORMAL) or `borrowed` (LOW)."""

    workflow_id: str
    group: str
    pool: str
    nodes: dict[str, str]
    quota: str = GUARANTEE


class Preemption(Struct, frozen=True):
    """All that runs of this group is to be stopped, because `by` has a right to the room. `lost_gpu_s` is the work thrown away."""

    workflow_id: str
    group: str
    pool: str
    gpus: int
    by: GroupKey
    why: str
    lost_gpu_s: float = 0


class Waiting(Struct, frozen=True):
    """Why a group has no place now, as data; the words are made when they are asked for."""

    workflow_id: str
    group: str
    reason: Reason

    @property
    def code(self) -> str:
        return self.reason.code.value

    @property
    def message(self) -> str:
        return in_words(self.reason).message


class Decision(Struct):
    """`claims`: the nodes that are being cleared for each group for whom somebody is stopped (see PendingGroup.owed).

    `more`: the round was ended early, and there may be places for others, too.
    """

    placements: list[Placement] = field(default_factory=list)
    preemptions: list[Preemption] = field(default_factory=list)
    claims: dict[GroupKey, tuple[str, ...]] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    more: bool = False


Nodes = Mapping[str, Mapping[str, NodeLoad]]
"""Backend name to node name to load; a backend that is offline is not in it."""

Queue = Collection[PendingGroup]
Pools = Mapping[str, Pool]
