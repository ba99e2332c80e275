"""From rows of the read model to what the wire shows of a workflow. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import UNSET, Raw, UnsetType

from osmo_api.http import GroupEntry, PluginFlags, TaskEntry, WorkflowAnswer, WorkflowListEntry
from osmo_domain.ids import pod_name, task_uuid
from osmo_domain.workflow.status import HAS_ERROR_LOGS, WORKFLOW_FAILED, TaskStatus
from osmo_gateway.links import Links
from osmo_gateway.times import duration_s, queued_s, wire_time, wire_time_or_none
from osmo_views.rows import AttemptRow, GroupRow, WorkflowDetail, WorkflowSummary

_NO_PLUGINS: Final = PluginFlags()


def list_entry(
    row: WorkflowSummary, links: Links, now: datetime, app: tuple[str | None, str | None]
) -> WorkflowListEntry:
    """`app` is owner and name of the app that the workflow came from."""
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


def workflow_answer(detail: WorkflowDetail, links: Links, now: datetime, reasons: Mapping[str, Raw]) -> WorkflowAnswer:
    """Without what the configuration adds: the app's names and warnings. `reasons` tell why groups wait, by name."""
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
