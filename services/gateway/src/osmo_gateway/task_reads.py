"""Answers about tasks, from the read model."""

from functools import partial
from typing import Final

import msgspec
from msgspec import Raw

from osmo_api.http import (
    TaskAnswer,
    TaskListAnswer,
    TaskListEntry,
    TaskSummariesAnswer,
    TaskSummaryEntry,
    WorkflowTaskSummariesAnswer,
    WorkflowTaskSummaryEntry,
)
from osmo_domain.errors import Rejected
from osmo_domain.workflow.status import HAS_ERROR_LOGS
from osmo_gateway.links import Links
from osmo_gateway.moving_json import MOVING, MovingJson, micros, moving_json
from osmo_gateway.pages import Pages
from osmo_gateway.shared import Rounds
from osmo_gateway.times import duration_s, wire_time_or_none
from osmo_service.clock import Clock
from osmo_views.ports import TaskFilter, WorkflowViews
from osmo_views.rows import AttemptRow, TaskSum, WorkflowRow

_ENCODER: Final = msgspec.json.Encoder()
_GIB: Final = 1 << 30
_PAGES_BYTES: Final = 4 * 1024 * 1024


class TaskReads:
    def __init__(self, views: WorkflowViews, clock: Clock, links: Links, edition: Rounds[int]) -> None:
        self._views = views
        self._clock = clock
        self._links = links
        self._pages: Pages[MovingJson] = Pages(edition, most_bytes=_PAGES_BYTES)

    async def page(self, wanted: TaskFilter, *, reverse: bool) -> TaskListAnswer:
        """The page is cut in the order of the list; `reverse` turns round what is on it. The entries are encoded already."""
        page = await self._pages.get((wanted, reverse), partial(self._read_page, wanted, reverse))
        return msgspec.structs.replace(TaskListAnswer(tasks=[]), tasks=Raw(page.at(self._clock.now())))

    async def _read_page(self, wanted: TaskFilter, reverse: bool) -> MovingJson:
        rows = list(await self._views.tasks(wanted))
        if reverse:
            rows.reverse()
        since = [micros(row.started_at) for row in rows if row.started_at is not None and row.ended_at is None]
        return moving_json(_ENCODER.encode([_entry(row, self._links) for row in rows]), since)

    async def sums(self, wanted: TaskFilter) -> TaskSummariesAnswer:
        sums = await self._views.task_sums(wanted, by_workflow=False)
        return TaskSummariesAnswer(summaries=[TaskSummaryEntry(one.user, *_summed(one)) for one in sums])

    async def sums_by_workflow(self, wanted: TaskFilter) -> WorkflowTaskSummariesAnswer:
        sums = await self._views.task_sums(wanted, by_workflow=True)
        return WorkflowTaskSummariesAnswer(
            summaries=[WorkflowTaskSummaryEntry(one.user, one.workflow_id, *_summed(one)) for one in sums]
        )

    async def attempt(self, workflow: WorkflowRow, task: str, retry_id: int | None = None) -> AttemptRow:
        """The latest attempt, or the one that is asked for. Raises Rejected where there is none."""
        row = await self._views.attempt(workflow.workflow_id, task, retry_id)
        if row is None:
            which = task if retry_id is None else f"{task} (retry {retry_id})"
            message = f"Task {which[:200]} of workflow {workflow.workflow_id} is not found."
            raise Rejected("task.unknown", message, error_code="DATABASE")
        return row

    async def query(self, workflow: WorkflowRow, task: str) -> TaskAnswer:
        row = await self.attempt(workflow, task)
        return TaskAnswer(
            workflow_id=row.workflow_id,
            task_name=row.task,
            node=row.node or None,
            start_time=wire_time_or_none(row.started_at),
            end_time=wire_time_or_none(row.ended_at),
            status=row.status,
            storage=row.storage_bytes / _GIB,
            cpu=row.cpu,
            memory=row.memory_bytes / _GIB,
            gpu=row.gpu,
        )


def _entry(row: AttemptRow, links: Links) -> TaskListEntry:
    """With MOVING for the duration of what runs."""
    place = (row.workflow_id, row.task, row.retry_id)
    entry = TaskListEntry(
        user=row.user,
        workflow_id=row.workflow_id,
        workflow_uuid=row.workflow_uuid,
        task_name=row.task,
        retry_id=row.retry_id,
        pool=row.pool or None,
        node=row.node or None,
        start_time=wire_time_or_none(row.started_at),
        end_time=wire_time_or_none(row.ended_at),
        duration=duration_s(row.started_at, row.ended_at, row.submitted_at),
        status=row.status,
        overview=links.overview(row.workflow_id),
        logs=links.task_logs(*place),
        error_logs=links.task_error_logs(*place) if row.status in HAS_ERROR_LOGS else None,
        grafana_url=None,
        dashboard_url=None,
        storage=row.storage_bytes / _GIB,
        cpu=row.cpu,
        memory=row.memory_bytes / _GIB,
        gpu=row.gpu,
        priority=row.priority,
    )
    moves = row.started_at is not None and row.ended_at is None
    return msgspec.structs.replace(entry, duration=MOVING) if moves else entry


def _summed(one: TaskSum) -> tuple[str | None, float, int, float, int, str]:
    return one.pool or None, one.storage_bytes / _GIB, one.cpu, one.memory_bytes / _GIB, one.gpu, one.priority
