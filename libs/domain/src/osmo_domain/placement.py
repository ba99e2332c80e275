"""Which waiting groups get a place, and where. Pure: the same input gives the same decision.

This first policy is first come, first served over real node capacities: HIGH before NORMAL before LOW, then the order of submission;
a group starts as a whole or not at all; what does not fit now waits with a reason and does not hold up what fits.
Quotas, borrowing and preemption come with the scheduler's own issue, behind the same function.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from osmo_domain.cluster import NodeFact
from osmo_domain.plan import Resources
from osmo_domain.pool import Pool, Priority


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


class NodeLoad(Struct):
    """One node and what is already promised on it by live placements. Changed in place by whoever owns the cluster state."""

    fact: NodeFact
    promised_cpu: int = 0
    promised_gpu: int = 0
    promised_memory_bytes: int = 0
    promised_storage_bytes: int = 0


class Placement(Struct, frozen=True):
    workflow_id: str
    group: str
    pool: str
    nodes: dict[str, str]
    quota: str = "guarantee"


class Waiting(Struct, frozen=True):
    """Why a group has no place now: a stable `code` (`capacity`, `node_fit`, `pool`, `backoff`) and the numbers in words."""

    workflow_id: str
    group: str
    code: str
    message: str


class Decision(Struct):
    placements: list[Placement] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


Nodes = Mapping[str, Mapping[str, NodeLoad]]
"""Backend name to node name to load."""

Queue = Sequence[PendingGroup]
Pools = Mapping[str, Pool]
