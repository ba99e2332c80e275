"""From a folded state to its rows. Pure."""

from osmo_domain.plan import Resources
from osmo_domain.workflow.state import Attempt, Task, Workflow
from osmo_views.rows import AttemptRow, GroupRow, WorkflowRow

_NO_RESOURCES = Resources()
_MOST = 1 << 31
_MOST_BYTES = 1 << 48
"""More than any machine has; a plan may ask for more all the same, and must not stop the projection."""


def workflow_row(state: Workflow, *, submit_seq: int, last_seq: int, shard: int) -> WorkflowRow:
    plan = state.plan
    return WorkflowRow(
        workflow_id=state.workflow_id,
        uuid=state.uuid,
        submit_seq=submit_seq,
        shard=shard,
        user=storable_text(state.user),
        pool=state.pool,
        backend=plan.backend if plan else "",
        priority=state.priority,
        submitted_at=state.submitted_at,
        exec_timeout_s=plan.exec_timeout_s if plan else None,
        queue_timeout_s=plan.queue_timeout_s if plan else None,
        spec_blob=state.spec_blob,
        template_blob=state.template_blob,
        parent_name=state.parent_name,
        parent_number=state.parent_number,
        app_uuid=state.app_uuid,
        app_version=state.app_version,
        labels=dict(state.labels),
        status=state.status,
        started_at=state.started_at,
        ended_at=state.ended_at,
        cancelled_by=storable_text(state.canceled_by),
        message=storable_text(state.message),
        tags=tuple(state.tags),
        last_seq=last_seq,
    )


def group_row(state: Workflow, name: str, ordinal: int) -> GroupRow:
    group = state.groups[name]
    return GroupRow(
        workflow_id=state.workflow_id,
        name=name,
        ordinal=ordinal,
        upstreams=state.group_plan(name).upstreams if state.plan else (),
        downstreams=tuple(group.downstreams),
        status=group.status,
        message=storable_text(group.message),
        processing_at=group.processing_at,
        scheduling_at=group.scheduling_at,
        initializing_at=group.initializing_at,
        started_at=group.started_at,
        ended_at=group.ended_at,
    )


def attempt_row(state: Workflow, task: Task, attempt: Attempt) -> AttemptRow:
    plan = state.plan
    asked = state.task_plan(task.name).resources if plan else _NO_RESOURCES
    return AttemptRow(
        workflow_id=state.workflow_id,
        task=task.name,
        retry_id=attempt.retry_id,
        group=task.group,
        lead=task.lead,
        workflow_uuid=state.uuid,
        user=storable_text(state.user),
        pool=state.pool,
        backend=plan.backend if plan else "",
        priority=state.priority,
        submitted_at=state.submitted_at,
        cpu=min(asked.cpu, _MOST),
        gpu=min(asked.gpu, _MOST),
        memory_bytes=min(asked.memory_bytes, _MOST_BYTES),
        storage_bytes=min(asked.storage_bytes, _MOST_BYTES),
        status=attempt.status,
        exit_code=None if attempt.exit_code is None else max(-_MOST, min(attempt.exit_code, _MOST - 1)),
        message=storable_text(attempt.message),
        node=attempt.node,
        ip=attempt.ip,
        processing_at=attempt.processing_at,
        scheduling_at=attempt.scheduling_at,
        initializing_at=attempt.initializing_at,
        download_started_at=attempt.download_started_at,
        download_ended_at=attempt.download_ended_at,
        started_at=attempt.started_at,
        upload_started_at=attempt.upload_started_at,
        ended_at=attempt.ended_at,
    )


def attempt_of(task: Task, retry_id: int) -> Attempt | None:
    """The attempt of this number; the latest is looked at first."""
    if task.attempt.retry_id == retry_id:
        return task.attempt
    return next((attempt for attempt in task.earlier if attempt.retry_id == retry_id), None)


def storable_text(text: str) -> str:
    """Text from outside may hold NUL, which PostgreSQL does not store."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}") if "\x00" in text else text
