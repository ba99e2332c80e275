"""WorkflowViews in memory: the twin for the simulation and for tests. Same promises, same order, same filters; no database."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from osmo_domain.workflow.status import PLACED, TaskStatus, WorkflowStatus
from osmo_views.pod_events import MemoryPodEvents, PodEventViews
from osmo_views.ports import LabelMatch, TaskFilter, WorkflowFilter
from osmo_views.rows import (
    AliveCount,
    AttemptRow,
    Changes,
    GpuUse,
    GroupRow,
    NodeUse,
    TaskSum,
    WorkflowDetail,
    WorkflowRow,
    WorkflowSummary,
    is_written,
    list_rank,
)

T = TypeVar("T")

_NOT_STARTED = datetime.max.replace(tzinfo=UTC)


class MemoryWorkflowViews:
    def __init__(self) -> None:
        self.pod_events: PodEventViews = MemoryPodEvents()
        self._seq = 0
        self._edition = 0
        self._workflows: dict[str, WorkflowRow] = {}
        self._ids: dict[str, str] = {}
        self._groups: dict[str, dict[str, GroupRow]] = {}
        self._attempts: dict[str, dict[tuple[str, int], AttemptRow]] = {}

    async def checkpoint(self) -> int:
        return self._seq

    async def edition(self) -> int:
        return self._edition if self._seq else 0

    async def apply(self, changes: Changes) -> bool:
        if is_written(changes, self._seq):
            return False
        for workflow in (*changes.new_workflows, *changes.changed_workflows):
            self._workflows[workflow.workflow_id] = workflow
            self._ids[workflow.uuid] = workflow.workflow_id
        for group in (*changes.new_groups, *changes.changed_groups):
            self._groups.setdefault(group.workflow_id, {})[group.name] = group
        for attempt in (*changes.new_attempts, *changes.changed_attempts):
            self._attempts.setdefault(attempt.workflow_id, {})[attempt.task, attempt.retry_id] = attempt
        self._seq = changes.last_seq
        self._edition += 1
        return True

    async def reset(self) -> None:
        self._seq = 0
        for table in (self._workflows, self._ids, self._groups, self._attempts):
            table.clear()

    async def workflow(self, id_or_uuid: str) -> WorkflowRow | None:
        return self._workflows.get(self._ids.get(id_or_uuid, id_or_uuid))

    async def detail(
        self, id_or_uuid: str, *, groups: bool = True, all_attempts: bool = False
    ) -> WorkflowDetail | None:
        workflow = await self.workflow(id_or_uuid)
        if workflow is None or not groups:
            return None if workflow is None else WorkflowDetail(workflow)
        attempts = sorted(
            self._attempts.get(workflow.workflow_id, {}).values(), key=lambda one: (one.task, -one.retry_id)
        )
        if not all_attempts:
            newest_last = {one.task: one for one in reversed(attempts)}
            attempts = [newest_last[task] for task in sorted(newest_last)]
        in_order = sorted(self._groups.get(workflow.workflow_id, {}).values(), key=lambda one: one.ordinal)
        return WorkflowDetail(workflow, tuple(in_order), tuple(attempts))

    async def attempt(self, workflow_id: str, task: str, retry_id: int | None = None) -> AttemptRow | None:
        of_task = [one for (name, _), one in self._attempts.get(workflow_id, {}).items() if name == task]
        wanted = [one for one in of_task if retry_id is None or one.retry_id == retry_id]
        return max(wanted, key=lambda one: one.retry_id, default=None)

    async def workflows(self, wanted: WorkflowFilter) -> Sequence[WorkflowSummary]:
        found = [row for row in self._workflows.values() if _wants_workflow(wanted, row)]
        found.sort(key=lambda row: (row.submitted_at, row.submit_seq), reverse=wanted.descending)
        return [_summary(row) for row in found[wanted.offset : wanted.offset + wanted.limit]]

    async def version(self, id_or_uuid: str) -> int | None:
        row = await self.workflow(id_or_uuid)
        return None if row is None else row.last_seq

    async def versions(self, wanted: WorkflowFilter) -> Sequence[tuple[str, int]]:
        return [(row.workflow_id, row.last_seq) for row in await self.workflows(wanted)]

    async def tasks(self, wanted: TaskFilter) -> Sequence[AttemptRow]:
        found = sorted(self._matching(wanted), key=_newest_first, reverse=True)
        return found[wanted.offset : wanted.offset + wanted.limit]

    async def task_sums(self, wanted: TaskFilter, *, by_workflow: bool) -> Sequence[TaskSum]:
        grouped = _grouped(
            self._matching(wanted),
            lambda row: (row.user, row.workflow_id if by_workflow else "", row.pool, row.priority),
        )
        sums = [TaskSum(*key, *_totals(rows)) for key, rows in sorted(grouped.items())]
        return sums[wanted.offset : wanted.offset + wanted.limit]

    async def submitters(self) -> Sequence[str]:
        return sorted({row.user for row in self._workflows.values()})

    async def apps_used_by(self, user: str) -> Sequence[str]:
        return sorted({row.app_uuid for row in self._workflows.values() if row.user == user and row.app_uuid})

    async def alive(self, user: str) -> AliveCount:
        workflows = [row for row in self._workflows.values() if row.user == user and row.ended_at is None]
        tasks = [row for row in self._all_attempts() if row.user == user and row.ended_at is None]
        return AliveCount(len(workflows), len(tasks))

    async def running_gpus(self) -> Sequence[GpuUse]:
        running = (row for row in self._all_attempts() if row.status is TaskStatus.RUNNING)
        grouped = _grouped(running, lambda row: (row.pool, row.priority))
        return [GpuUse(*key, sum(row.gpu for row in rows)) for key, rows in sorted(grouped.items())]

    async def node_use(self) -> Sequence[NodeUse]:
        placed = (row for row in self._all_attempts() if row.status in PLACED and row.node)
        grouped = _grouped(placed, lambda row: (row.backend, row.node))
        return [NodeUse(*key, *_totals(rows)) for key, rows in sorted(grouped.items())]

    def dump(self) -> bytes:
        """Every row, canonically: two views that hold the same give the same bytes."""
        return msgspec.json.encode([self._workflows, self._groups, list(self._all_attempts())], order="sorted")

    def _all_attempts(self) -> Iterable[AttemptRow]:
        return (row for rows in self._attempts.values() for row in rows.values())

    def _matching(self, wanted: TaskFilter) -> Iterable[AttemptRow]:
        return (row for row in self._all_attempts() if _wants_task(wanted, row))


def _summary(row: WorkflowRow) -> WorkflowSummary:
    return WorkflowSummary(*(getattr(row, name) for name in WorkflowSummary.__struct_fields__))


def _wants_workflow(wanted: WorkflowFilter, row: WorkflowRow) -> bool:
    hidden = not wanted.statuses and row.status is WorkflowStatus.FAILED_SUBMISSION
    return (
        not hidden
        and _one_of(wanted.ids, row.workflow_id)
        and _one_of(wanted.users, row.user)
        and _one_of(wanted.pools, row.pool)
        and _one_of(wanted.priorities, row.priority)
        and _one_of(wanted.statuses, row.status)
        and wanted.name_part in row.workflow_id
        and (wanted.submitted_before is None or row.submitted_at < wanted.submitted_before)
        and (wanted.submitted_after is None or row.submitted_at >= wanted.submitted_after)
        and (not wanted.any_tag or not set(wanted.any_tag).isdisjoint(row.tags))
        and all(_label_matches(match, row.labels) for match in wanted.labels)
        and not any(key in row.labels for key in wanted.absent_labels)
        and wanted.app_uuid in ("", row.app_uuid)
        and wanted.app_version in (0, row.app_version)
    )


def _wants_task(wanted: TaskFilter, row: AttemptRow) -> bool:
    return (
        _one_of(wanted.users, row.user)
        and _one_of(wanted.pools, row.pool)
        and _one_of(wanted.priorities, row.priority)
        and _one_of(wanted.nodes, row.node)
        and _one_of(wanted.statuses, row.status)
        and wanted.workflow_part in row.workflow_id
        and (wanted.started_after is None or row.started_at is None or row.started_at >= wanted.started_after)
        and (wanted.started_before is None or (row.started_at is not None and row.started_at < wanted.started_before))
    )


def _one_of(wanted: Sequence[str], value: str) -> bool:
    return not wanted or value in wanted


def _label_matches(match: LabelMatch, labels: dict[str, str]) -> bool:
    value = labels.get(match.key)
    return value is not None and any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.DOTALL) for pattern in match.patterns
    )


def _newest_first(row: AttemptRow) -> tuple[int, datetime, datetime, str, int]:
    """Sort key for descending order."""
    return -list_rank(row.status), row.started_at or _NOT_STARTED, row.submitted_at, row.task, row.retry_id


def _grouped(rows: Iterable[AttemptRow], key: Callable[[AttemptRow], T]) -> dict[T, list[AttemptRow]]:
    groups: defaultdict[T, list[AttemptRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _totals(rows: Sequence[AttemptRow]) -> tuple[int, int, int, int]:
    return (
        sum(row.cpu for row in rows),
        sum(row.gpu for row in rows),
        sum(row.memory_bytes for row in rows),
        sum(row.storage_bytes for row in rows),
    )
