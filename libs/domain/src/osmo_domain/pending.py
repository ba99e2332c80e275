"""Why a group waits, as data: one stable code, the numbers behind it, and the smallest changes that would start it now.

Whoever decides fills in the code and what he had in hand; `pending_explain` adds what only an asker needs, and `pending_words` the sentence.
Everything here is on the wire: fields are only ever added, codes never change their meaning.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from osmo_domain.pool import Priority


class ReasonCode(StrEnum):
    """What keeps a group from starting now. Where several things do, the first of them in the order in which they are decided on."""

    UPSTREAM = "upstream"
    """Groups that it needs have not completed."""
    POOL = "pool"
    """Its pool does not exist (any more)."""
    MAINTENANCE = "maintenance"
    """Its pool starts nothing for now; what runs keeps running."""
    BACKEND_OFFLINE = "backend_offline"
    """The agent of its pool's backend has not been heard of."""
    BACKOFF = "backoff"
    """It failed a moment ago and goes again at `until`."""
    QUOTA = "quota"
    """Its pool's guarantee (HIGH, NORMAL) or maximum (LOW) is used up."""
    NODE_FIT = "node_fit"
    """No node is there that could take it, not even an empty one; nodes may come (platforms that scale from zero)."""
    CAPACITY = "capacity"
    """It could run here, but what it needs is taken."""
    AHEAD = "ahead"
    """It would fit, but starting it would delay the group at the head of the queue."""
    PREEMPTING = "preempting"
    """It has been given the place of work that is being stopped for it."""


class Constraint(StrEnum):
    """What may keep a task off a node."""

    UNAVAILABLE = "unavailable"
    PLATFORM = "platform"
    NODES_EXCLUDED = "nodes_excluded"
    GPU = "gpu"
    CPU = "cpu"
    MEMORY = "memory"
    STORAGE = "storage"
    TOPOLOGY = "topology"


class Holder(Struct, frozen=True, omit_defaults=True):
    """A group that runs and holds GPUs of a quota."""

    workflow_id: str
    group: str
    gpus: int
    user: str = ""
    priority: Priority = Priority.NORMAL


class QuotaState(Struct, frozen=True, omit_defaults=True):
    """GPUs of one pool: `used` of `limit` are promised to work that counts, `asked` more are wanted. Most of `used` first in `holders`."""

    pool: str
    used: int
    limit: int
    asked: int
    holders: tuple[Holder, ...] = ()
    more_holders: int = 0
    """How many hold something beyond those named."""


class FreeRoom(Struct, frozen=True, omit_defaults=True):
    """What is free now on the nodes of one platform. `gang` is the number of tasks like the largest of this group that would fit together."""

    platform: str
    nodes: int
    free_gpus: int = 0
    most_gpus: int = 0
    """The most GPUs that are free on one node."""
    gang: int = 0


class Exclusion(Struct, frozen=True, omit_defaults=True):
    """`nodes` nodes are out because of `constraint`, for the task named; each node counts once, at the first constraint that removes it.

    `asked` and `most` are in the units of the constraint (GPUs, CPUs, bytes): what the task asks, and the most that such a node offers.
    """

    constraint: Constraint
    nodes: int
    task: str = ""
    asked: int = 0
    most: int = 0


class Ahead(Struct, frozen=True, omit_defaults=True):
    """The line before this group: `position` counts from 1 among the groups that wait in its pool; the head is whose turn is first."""

    position: int
    length: int
    head_workflow_id: str = ""
    head_group: str = ""


class Victim(Struct, frozen=True, omit_defaults=True):
    """A group that is, or would be, stopped to make room."""

    workflow_id: str
    group: str
    gpus: int = 0
    priority: Priority = Priority.LOW


class Upstream(Struct, frozen=True, omit_defaults=True):
    """A group that must complete first, and how far it is."""

    group: str
    status: str


class ChangeKind(StrEnum):
    FEWER_GPUS = "fewer_gpus"
    FEWER_TASKS = "fewer_tasks"
    PLATFORM = "platform"
    PRIORITY = "priority"
    POOL = "pool"


class Change(Struct, frozen=True, omit_defaults=True):
    """One change of the request with which it would start now: the decision was made on the changed request, and it had a place.

    `value` is what to ask for instead: GPUs of a task at most, number of tasks, platform, priority, or pool. `platform` goes with a pool where
    the request must name one of that pool's.
    """

    kind: ChangeKind
    value: str
    message: str = ""
    platform: str = ""


class Reason(Struct, frozen=True, omit_defaults=True):
    """Why one group waits. `message` says it in words; the rest are the numbers, as far as they concern the code."""

    code: ReasonCode
    message: str = ""
    pool: str = ""
    backend: str = ""
    quota: QuotaState | None = None
    free: tuple[FreeRoom, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    ahead: Ahead | None = None
    victims: tuple[Victim, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    until: datetime | None = None
    changes: tuple[Change, ...] = ()
    untried: bool = False
    """Not every change was tried: that would have held up decisions."""
