"""Answers about workflows, from the read model."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from osmo_api.http import (
    GroupEntry,
    PluginFlags,
    TaskEntry,
    WhyAnswer,
    WhyGroup,
    WorkflowAnswer,
    WorkflowListAnswer,
    WorkflowListEntry,
)
from osmo_domain.errors import Rejected
from osmo_domain.ids import pod_name, task_uuid
from osmo_domain.label_policy import label_warnings
from osmo_domain.workflow.status import HAS_ERROR_LOGS, WORKFLOW_FAILED, TaskStatus
from osmo_gateway.app_reads import AppReads
from osmo_gateway.estate import Estate
from osmo_gateway.links import Links
from osmo_gateway.own_writes import OwnWrites
from osmo_gateway.pending_reads import PendingReads, may_wait
from osmo_gateway.times import duration_s, queued_s, wire_time, wire_time_or_none
from osmo_service.clock import Clock
from osmo_views.ports import WorkflowFilter, WorkflowViews
from osmo_views.rows import AttemptRow, GroupRow, WorkflowDetail, WorkflowRow, WorkflowSummary

_NO_PLUGINS: Final = PluginFlags()


def workflow_not_found(id_or_uuid: str) -> Rejected:
    return Rejected("workflow.unknown", f"Workflow {id_or_uuid[:200]} is not found.", error_code="DATABASE")


class WorkflowReads:
    def __init__(
        self,
        views: WorkflowViews,
        own_writes: OwnWrites,
        clock: Clock,
        links: Links,
        pending: PendingReads,
        apps: AppReads,
        estate: Estate,
    ) -> None:
        self._views = views
        self._own_writes = own_writes
        self._clock = clock
        self._links = links
        self._pending = pending
        self._apps = apps
        self._estate = estate

    async def find(self, id_or_uuid: str) -> WorkflowRow:
        """The row of a workflow, with the caller's own writes in it. Raises Rejected where there is none."""
        await self._own_writes.visible(id_or_uuid)
        row = await self._views.workflow(id_or_uuid)
        if row is None and await self._own_writes.appeared(id_or_uuid):
            row = await self._views.workflow(id_or_uuid)
        if row is None:
            raise workflow_not_found(id_or_uuid)
        return row

    async def query(self, id_or_uuid: str, *, skip_groups: bool = False, verbose: bool = False) -> WorkflowAnswer:
        await self._own_writes.visible(id_or_uuid)
        detail = await self._views.detail(id_or_uuid, groups=not skip_groups, all_attempts=verbose)
        if detail is None and await self._own_writes.appeared(id_or_uuid):
            detail = await self._views.detail(id_or_uuid, groups=not skip_groups, all_attempts=verbose)
        if detail is None:
            raise workflow_not_found(id_or_uuid)
        reasons = await self._pending.reasons_at_once(detail.workflow) if may_wait(detail) else {}
        answer = _answer(detail, self._links, self._clock.now(), reasons)
        owner, name = self._apps.origin(detail.workflow.app_uuid)
        warnings = label_warnings(detail.workflow.labels, self._estate.catalogue.workflow.labels_config)
        return msgspec.structs.replace(answer, app_owner=owner, app_name=name, warnings=list(warnings))

    async def why(self, id_or_uuid: str) -> WhyAnswer:
        """Why each group waits that does, and what would start it now. Transient when the scheduler does not say."""
        row = await self.find(id_or_uuid)
        detail = await self._views.detail(row.workflow_id, groups=True, all_attempts=False)
        if detail is None:
            raise workflow_not_found(id_or_uuid)
        reasons = await self._pending.reasons(detail.workflow) if may_wait(detail) else {}
        groups = [
            WhyGroup(each.name, each.status, reasons[each.name]) for each in detail.groups if each.name in reasons
        ]
        return WhyAnswer(detail.workflow.workflow_id, detail.workflow.status, groups)

    async def page(self, wanted: WorkflowFilter) -> WorkflowListAnswer:
        """`limit` entries, and whether there are more behind them."""
        rows = await self._views.workflows(msgspec.structs.replace(wanted, limit=wanted.limit + 1))
        now = self._clock.now()
        entries = [_entry(row, self._links, now, self._apps.origin(row.app_uuid)) for row in rows[: wanted.limit]]
        return WorkflowListAnswer(workflows=entries, more_entries=len(rows) > wanted.limit)


def _entry(row: WorkflowSummary, links: Links, now: datetime, app: tuple[str | None, str | None]) -> WorkflowListEntry:
    workflow_id = row.workflow_id
    app_owner, app_name = app
    return WorkflowListEntry(
        user=row.user,
        name=workflow_id,
        workflow_uuid=row.uuid,
        submit_time=wire_time(row.submitted_at),
        start_time=wire_time_or_none(row.started_at),
        end_time=wire_time_or_none(row.ended_at),
        queued_time=queued_s(row.submitted_at, row.started_at, row.ended_at, now),
        duration=duration_s(row.started_at, row.ended_at, now),
        status=row.status,
        overview=links.overview(workflow_id),
        logs=links.logs(workflow_id),
        error_logs=links.error_logs(workflow_id) if row.status in WORKFLOW_FAILED else None,
        grafana_url=None,
        dashboard_url=None,
        pool=row.pool or None,
        app_owner=app_owner,
        app_name=app_name,
        app_version=row.app_version or None,
        priority=row.priority,
        labels=row.labels,
    )


def _answer(detail: WorkflowDetail, links: Links, now: datetime, reasons: Mapping[str, Raw]) -> WorkflowAnswer:
    row = detail.workflow
    workflow_id = row.workflow_id
    return WorkflowAnswer(
        name=workflow_id,
        uuid=row.uuid,
        submitted_by=row.user,
        cancelled_by=row.cancelled_by or None,
        spec=links.spec(workflow_id),
        template_spec=links.template_spec(workflow_id),
        logs=links.last_logs(workflow_id),
        events=links.events(workflow_id),
        overview=links.overview(workflow_id),
        parent_name=row.parent_name or None,
        parent_job_id=row.parent_number or None,
        dashboard_url=None,
        grafana_url=None,
        tags=row.tags,
        submit_time=wire_time(row.submitted_at),
        start_time=wire_time_or_none(row.started_at),
        end_time=wire_time_or_none(row.ended_at),
        exec_timeout=row.exec_timeout_s,
        queue_timeout=row.queue_timeout_s,
        duration=duration_s(row.started_at, row.ended_at, now),
        queued_time=queued_s(row.submitted_at, row.started_at, row.ended_at, now),
        status=row.status,
        outputs="",
        groups=_groups(detail, links, reasons),
        pool=row.pool or None,
        backend=row.backend or None,
        app_owner=None,
        app_name=None,
        app_version=row.app_version or None,
        plugins=_NO_PLUGINS,
        priority=row.priority,
        labels=row.labels,
        warnings=[],
        failure_message=row.message or None,
    )


def _groups(detail: WorkflowDetail, links: Links, reasons: Mapping[str, Raw]) -> list[GroupEntry]:
    tasks: dict[str, list[TaskEntry]] = {group.name: [] for group in detail.groups}
    for attempt in detail.attempts:
        tasks[attempt.group].append(_task(attempt, links))
    completed = {group.name for group in detail.groups if group.status is TaskStatus.COMPLETED}
    return [_group(group, tasks[group.name], completed, reasons.get(group.name, UNSET)) for group in detail.groups]


def _group(group: GroupRow, tasks: Sequence[TaskEntry], completed: set[str], reason: Raw | UnsetType) -> GroupEntry:
    return GroupEntry(
        name=group.name,
        status=group.status,
        start_time=wire_time_or_none(group.started_at),
        end_time=wire_time_or_none(group.ended_at),
        processing_start_time=wire_time_or_none(group.processing_at),
        scheduling_start_time=wire_time_or_none(group.scheduling_at),
        initializing_start_time=wire_time_or_none(group.initializing_at),
        remaining_upstream_groups=[name for name in group.upstreams if name not in completed],
        downstream_groups=list(group.downstreams),
        failure_message=group.message or None,
        tasks=list(tasks),
        pending_reason=reason,
    )


def _task(attempt: AttemptRow, links: Links) -> TaskEntry:
    place = (attempt.workflow_id, attempt.task, attempt.retry_id)
    return TaskEntry(
        name=attempt.task,
        retry_id=attempt.retry_id,
        status=attempt.status,
        failure_message=attempt.message or None,
        exit_code=attempt.exit_code,
        logs=links.task_logs(*place),
        error_logs=links.task_error_logs(*place) if attempt.status in HAS_ERROR_LOGS else None,
        processing_start_time=wire_time_or_none(attempt.processing_at),
        scheduling_start_time=wire_time_or_none(attempt.scheduling_at),
        initializing_start_time=wire_time_or_none(attempt.initializing_at),
        events=links.task_events(*place),
        start_time=wire_time_or_none(attempt.started_at),
        end_time=wire_time_or_none(attempt.ended_at),
        input_download_start_time=wire_time_or_none(attempt.download_started_at),
        input_download_end_time=wire_time_or_none(attempt.download_ended_at),
        output_upload_start_time=wire_time_or_none(attempt.upload_started_at),
        dashboard_url=None,
        pod_name=pod_name(attempt.workflow_uuid, attempt.task),
        pod_ip=attempt.ip or None,
        task_uuid=task_uuid(attempt.workflow_uuid, attempt.task),
        node_name=attempt.node or None,
        lead=attempt.lead,
    )
