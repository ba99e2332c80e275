"""What the events of tasks change. Called by `evolve` only; each function says False when the event makes no sense here.

Statuses only go forward, and may skip. Status and start of the group and of the workflow follow their tasks; ends are events of their own.
"""

from typing import assert_never

from osmo_domain.workflow.events import (
    TaskDownloaded,
    TaskDownloading,
    TaskFinished,
    TaskInitializing,
    TaskPreempted,
    TaskRescheduled,
    TaskRestarted,
    TaskRunning,
    TaskUploading,
)
from osmo_domain.workflow.state import Attempt, Group, Task, Workflow
from osmo_domain.workflow.status import FINISHED, GROUP_FINISHED, IN_QUEUE, PRERUNNING, TaskStatus, WorkflowStatus

TaskMove = TaskInitializing | TaskRunning | TaskFinished | TaskRescheduled
TaskNote = TaskDownloading | TaskDownloaded | TaskUploading | TaskRestarted | TaskPreempted


def moved(state: Workflow, event: TaskMove) -> bool:
    """Events that change the status of an attempt. Only the latest attempt, and only until it has ended."""
    task = state.tasks.get(event.task)
    if task is None or task.attempt.retry_id != event.retry_id or task.status in FINISHED:
        return False
    group = state.groups[task.group]
    match event:
        case TaskInitializing():
            return _initializing(group, task.attempt, event)
        case TaskRunning():
            return _running(state, group, task.attempt, event)
        case TaskFinished():
            return _finished(group, task.attempt, event)
        case TaskRescheduled():
            return _rescheduled(state, group, task, event)
    assert_never(event)


def _initializing(group: Group, attempt: Attempt, event: TaskInitializing) -> bool:
    if attempt.status is not TaskStatus.SCHEDULING:
        return False
    attempt.status, attempt.initializing_at = TaskStatus.INITIALIZING, event.at
    _locate(attempt, event)
    if group.status in IN_QUEUE:
        group.status, group.initializing_at = TaskStatus.INITIALIZING, event.at
    return True


def _running(state: Workflow, group: Group, attempt: Attempt, event: TaskRunning) -> bool:
    if attempt.status not in (TaskStatus.SCHEDULING, TaskStatus.INITIALIZING):
        return False
    attempt.status, attempt.started_at = TaskStatus.RUNNING, event.at
    _locate(attempt, event)
    _group_runs(state, group, event)
    return True


def _locate(attempt: Attempt, event: TaskInitializing | TaskRunning) -> None:
    attempt.node = event.node or attempt.node
    attempt.ip = event.ip or attempt.ip


def _group_runs(state: Workflow, group: Group, event: TaskRunning | TaskRescheduled) -> None:
    """A group runs from its first running (or rescheduled) task on, and the workflow with it."""
    if group.status in PRERUNNING:
        group.status, group.started_at = TaskStatus.RUNNING, event.at
    if state.status is WorkflowStatus.PENDING:
        state.status, state.started_at = WorkflowStatus.RUNNING, event.at


def _finished(group: Group, attempt: Attempt, event: TaskFinished) -> bool:
    if event.status not in GROUP_FINISHED:
        return False
    _end(attempt, event.status, event)
    attempt.reason = event.reason
    group.unfinished -= 1
    return True


def _rescheduled(state: Workflow, group: Group, task: Task, event: TaskRescheduled) -> bool:
    if task.status not in (TaskStatus.SCHEDULING, TaskStatus.INITIALIZING, TaskStatus.RUNNING):
        return False
    _end(task.attempt, TaskStatus.RESCHEDULED, event)
    task.earlier.append(task.attempt)
    task.attempt = Attempt(
        retry_id=event.retry_id + 1,
        status=TaskStatus.PROCESSING,
        processing_at=event.at,
        not_before=event.not_before,
    )
    _group_runs(state, group, event)
    return True


def _end(attempt: Attempt, status: TaskStatus, event: TaskFinished | TaskRescheduled) -> None:
    attempt.status, attempt.ended_at = status, event.at
    attempt.exit_code, attempt.message = event.exit_code, event.message


def noted(state: Workflow, event: TaskNote) -> bool:
    """Events that leave the status alone. Measurements may come late: those of an attempt that has just ended still count."""
    task = state.tasks.get(event.task)
    if task is None or task.attempt.retry_id != event.retry_id:
        return False
    attempt = task.attempt
    match event:
        case TaskDownloading() if attempt.download_started_at is None:
            attempt.download_started_at = event.at
        case TaskDownloaded() if attempt.download_ended_at is None:
            attempt.download_ended_at = event.at
        case TaskUploading() if attempt.upload_started_at is None:
            attempt.upload_started_at = event.at
        case TaskRestarted() if attempt.status is TaskStatus.RUNNING:
            attempt.restarts, attempt.restarted_at = attempt.restarts + 1, event.at
        case TaskPreempted() if attempt.status not in FINISHED:
            attempt.message = event.why
        case _:
            return False
    return True
