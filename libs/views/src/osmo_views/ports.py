"""What the house needs of its read model. Two adapters keep these promises (osmo_views.postgres, osmo_views.memory); one contract suite proves it.

Everything here may raise Transient when the database is away or slow; library errors never come through. A lost view is rebuilt from the log.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from msgspec import Struct

from osmo_domain.pool import Priority
from osmo_domain.workflow.status import WORKFLOW_FINISHED, TaskStatus, WorkflowStatus
from osmo_views.pod_events import PodEventViews
from osmo_views.rows import (
    AliveCount,
    AttemptRow,
    Changes,
    GpuUse,
    NodeUse,
    TaskSum,
    WorkflowDetail,
    WorkflowRow,
    WorkflowSummary,
)

ALIVE: Final = tuple(status for status in WorkflowStatus if status not in WORKFLOW_FINISHED)


class LabelMatch(Struct, frozen=True):
    """The label `key` exists and matches one of the patterns, in which `*` stands for any text."""

    key: str
    patterns: tuple[str, ...]


class WorkflowFilter(Struct, frozen=True):
    """Which workflows to list. An empty tuple, an empty string or None does not filter; everything else must hold together.

    Ordered by time of submission, then position. Without `statuses`, FAILED_SUBMISSION is left out.
    """

    users: tuple[str, ...] = ()
    name_part: str = ""
    statuses: tuple[WorkflowStatus, ...] = ()
    pools: tuple[str, ...] = ()
    submitted_before: datetime | None = None
    submitted_after: datetime | None = None
    any_tag: tuple[str, ...] = ()
    priorities: tuple[Priority, ...] = ()
    labels: tuple[LabelMatch, ...] = ()
    absent_labels: tuple[str, ...] = ()
    app_uuid: str = ""
    app_version: int = 0
    """0 does not filter."""
    ids: tuple[str, ...] = ()
    descending: bool = False
    offset: int = 0
    limit: int = 20


class TaskFilter(Struct, frozen=True):
    """Which attempts to list, likewise. `started_after` lets through what has not started.

    Ordered SCHEDULING, INITIALIZING, RUNNING, others; then by start, submission and name, newest first.
    """

    workflow_part: str = ""
    users: tuple[str, ...] = ()
    statuses: tuple[TaskStatus, ...] = ()
    pools: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    priorities: tuple[Priority, ...] = ()
    started_after: datetime | None = None
    started_before: datetime | None = None
    offset: int = 0
    limit: int = 20


class WorkflowViews(Protocol):
    @property
    def pod_events(self) -> PodEventViews: ...

    async def checkpoint(self) -> int:
        """The position of WORKFLOWS up to which the rows are folded; 0 for empty views."""
        ...

    async def edition(self) -> int:
        """Another number after everything that is written, also after views that were built anew; 0 for empty views.

        What was read between two equal answers, and 0 is none, is what would be read now. Pod events have no part in it.
        """
        ...

    async def apply(self, changes: Changes) -> bool:
        """Write the rows and move the checkpoint, all or nothing. False, and nothing written, when the checkpoint is there already.

        Stale, and nothing written, when the checkpoint is before `changes.after_seq`: a crash of the database took rows that were written
        (they need not survive one). Whoever writes goes back to the checkpoint.
        """
        ...

    async def reset(self) -> None:
        """Remove every row and begin again from position 0."""
        ...

    async def workflow(self, id_or_uuid: str) -> WorkflowRow | None: ...

    async def detail(
        self, id_or_uuid: str, *, groups: bool = True, all_attempts: bool = False
    ) -> WorkflowDetail | None:
        """Without `groups` the workflow alone; without `all_attempts` the latest of every task."""
        ...

    async def attempt(self, workflow_id: str, task: str, retry_id: int | None = None) -> AttemptRow | None:
        """One attempt; the latest where `retry_id` is None."""
        ...

    async def version(self, id_or_uuid: str) -> int | None:
        """`last_seq` of the workflow's row: what was read of it at the same version is what would be read now."""
        ...

    async def versions(self, wanted: WorkflowFilter) -> Sequence[tuple[str, int]]:
        """Ids and versions of what `workflows` gives, in the same order: far cheaper than the rows."""
        ...

    async def workflows(self, wanted: WorkflowFilter) -> Sequence[WorkflowSummary]: ...

    async def tasks(self, wanted: TaskFilter) -> Sequence[AttemptRow]: ...

    async def task_sums(self, wanted: TaskFilter, *, by_workflow: bool) -> Sequence[TaskSum]:
        """Sums by user, pool and priority (and workflow) over all that match; `offset` and `limit` count sums."""
        ...

    async def submitters(self) -> Sequence[str]:
        """Everyone who ever submitted, sorted."""
        ...

    async def apps_used_by(self, user: str) -> Sequence[str]:
        """The uuids of apps that the user ever submitted, sorted."""
        ...

    async def alive(self, user: str) -> AliveCount:
        """Workflows, and latest attempts of tasks, that have not ended."""
        ...

    async def running_gpus(self) -> Sequence[GpuUse]: ...

    async def node_use(self) -> Sequence[NodeUse]: ...
