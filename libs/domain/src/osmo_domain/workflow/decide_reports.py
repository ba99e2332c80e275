"""What the control container's own words decide: the times of downloads and uploads. Starts and ends come from pods alone."""

from collections.abc import Iterable
from datetime import datetime

from osmo_domain.report import TaskPhase, TaskReported
from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.events import TaskDownloaded, TaskDownloading, TaskUploading, WorkflowEvent
from osmo_domain.workflow.state import Attempt, Workflow


def decide_reports(state: Workflow, reports: Iterable[TaskReported], now: datetime) -> list[WorkflowEvent]:
    """The events of these reports on latest attempts, each phase once. Changes the state."""
    draft = Draft(state, now)
    for report in reports:
        task = state.tasks.get(report.task)
        if task is None or task.attempt.retry_id != report.retry_id or draft.over:
            continue
        event = _event_of(task.attempt, report)
        if event is not None:
            draft.add(event)
    return draft.events


def _event_of(attempt: Attempt, report: TaskReported) -> WorkflowEvent | None:
    task, retry_id, at = report.task, report.retry_id, report.at
    match report.phase:
        case TaskPhase.DOWNLOADING if attempt.download_started_at is None:
            return TaskDownloading(task=task, retry_id=retry_id, at=at)
        case TaskPhase.DOWNLOADED if attempt.download_ended_at is None:
            return TaskDownloaded(task=task, retry_id=retry_id, at=at, bytes=report.bytes, files=report.files)
        case TaskPhase.UPLOADING if attempt.upload_started_at is None:
            return TaskUploading(task=task, retry_id=retry_id, at=at)
        case _:
            return None
