"""The rows of the workflow views. What a list or a query shows stands in them; nothing is joined or counted at read time.

`static` columns are written once, with the row; `moving` columns change with events. Times are aware UTC.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from osmo_domain.errors import Stale
from osmo_domain.pool import Priority
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus


class WorkflowRow(Struct, frozen=True):
    """One workflow. `submit_seq` is the position of its first commit: the order of submission. `last_seq` is that of the last commit which
    is folded in here: the version of everything that is known of this workflow, its groups and attempts too."""

    workflow_id: str
    uuid: str
    submit_seq: int
    shard: int
    user: str
    pool: str
    backend: str
    priority: Priority
    submitted_at: datetime
    exec_timeout_s: float | None
    queue_timeout_s: float | None
    spec_blob: str
    template_blob: str
    parent_name: str
    parent_number: int
    app_uuid: str
    app_version: int
    labels: dict[str, str]
    status: WorkflowStatus
    started_at: datetime | None
    ended_at: datetime | None
    cancelled_by: str
    message: str
    tags: tuple[str, ...]
    last_seq: int


class WorkflowSummary(Struct, frozen=True):
    """What a list shows of a workflow: columns of its row."""

    workflow_id: str
    uuid: str
    user: str
    pool: str
    priority: Priority
    submitted_at: datetime
    app_uuid: str
    app_version: int
    labels: dict[str, str]
    status: WorkflowStatus
    started_at: datetime | None
    ended_at: datetime | None
    last_seq: int


class GroupRow(Struct, frozen=True):
    """One group. `ordinal` is its place in the plan."""

    workflow_id: str
    name: str
    ordinal: int
    upstreams: tuple[str, ...]
    downstreams: tuple[str, ...]
    status: TaskStatus
    message: str
    processing_at: datetime | None
    scheduling_at: datetime | None
    initializing_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


class AttemptRow(Struct, frozen=True):
    """One attempt of one task, with what a list of tasks shows of its workflow."""

    workflow_id: str
    task: str
    retry_id: int
    group: str
    lead: bool
    workflow_uuid: str
    user: str
    pool: str
    backend: str
    priority: Priority
    submitted_at: datetime
    cpu: int
    gpu: int
    memory_bytes: int
    storage_bytes: int
    status: TaskStatus
    exit_code: int | None
    message: str
    node: str
    ip: str
    processing_at: datetime | None
    scheduling_at: datetime | None
    initializing_at: datetime | None
    download_started_at: datetime | None
    download_ended_at: datetime | None
    started_at: datetime | None
    upload_started_at: datetime | None
    ended_at: datetime | None


class Changes(Struct):
    """What one batch of commits did to the rows, up to and including position `last_seq` of WORKFLOWS.

    `new_*` rows begin to exist in this batch (or are written again by a repeated batch); `changed_*` rows exist already.
    """

    last_seq: int = 0
    after_seq: int = 0
    """Where the batch begins: the checkpoint must have reached this position, or rows before it were lost."""
    new_workflows: list[WorkflowRow] = []
    changed_workflows: list[WorkflowRow] = []
    new_groups: list[GroupRow] = []
    changed_groups: list[GroupRow] = []
    new_attempts: list[AttemptRow] = []
    changed_attempts: list[AttemptRow] = []


def is_written(changes: Changes, checkpoint: int) -> bool:
    """Whether views at this checkpoint hold the changes already. Stale where they lack what comes before them."""
    if checkpoint < changes.after_seq:
        raise Stale(f"views are at {checkpoint}, and these changes follow {changes.after_seq}")
    return checkpoint >= changes.last_seq


class WorkflowDetail(Struct, frozen=True):
    """A workflow with its groups in the order of the plan, and attempts by task name, newest attempt first."""

    workflow: WorkflowRow
    groups: tuple[GroupRow, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()


class TaskSum(Struct, frozen=True):
    """Resources of tasks summed up. `workflow_id` is empty unless the sums are by workflow."""

    user: str
    workflow_id: str
    pool: str
    priority: Priority
    cpu: int
    gpu: int
    memory_bytes: int
    storage_bytes: int


class GpuUse(Struct, frozen=True):
    """GPUs of RUNNING tasks of a pool at a priority."""

    pool: str
    priority: Priority
    gpu: int


class AliveCount(Struct, frozen=True):
    """What a user has that has not ended."""

    workflows: int = 0
    tasks: int = 0


class NodeUse(Struct, frozen=True):
    """What placed tasks hold on a node."""

    backend: str
    node: str
    cpu: int
    gpu: int
    memory_bytes: int
    storage_bytes: int


_RANKS: Final = {TaskStatus.SCHEDULING: 0, TaskStatus.INITIALIZING: 1, TaskStatus.RUNNING: 2}
UNPLACED_RANK: Final = len(_RANKS)


def list_rank(status: TaskStatus) -> int:
    """The place of a status in lists of attempts (the column `list_rank`)."""
    return _RANKS.get(status, UNPLACED_RANK)


WORKFLOW_MOVING: Final = ("status", "started_at", "ended_at", "cancelled_by", "message", "tags", "last_seq")
GROUP_MOVING: Final = (
    "status", "message", "processing_at", "scheduling_at", "initializing_at", "started_at", "ended_at",
)  # fmt: skip
ATTEMPT_MOVING: Final = (
    "status", "exit_code", "message", "node", "ip", "processing_at", "scheduling_at", "initializing_at",
    "download_started_at", "download_ended_at", "started_at", "upload_started_at", "ended_at",
)  # fmt: skip
