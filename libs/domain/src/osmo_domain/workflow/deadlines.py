"""When a workflow must be looked at again: queue, exec and start timeouts (reference 2.11) and attempts that wait before going again.

Deadlines are armed by events and rebuilt from state; one that is no longer true when it is due decides nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.ends import end_group, end_task
from osmo_domain.workflow.events import GroupQueued, TaskInitializing, TaskRescheduled, TaskRunning, WorkflowEvent
from osmo_domain.workflow.exit_actions import Ending
from osmo_domain.workflow.state import Group, Task, Workflow
from osmo_domain.workflow.status import GROUP_FINISHED, WORKFLOW_FINISHED, ExitCode, TaskStatus


class DeadlineKind(StrEnum):
    QUEUE = "queue"
    EXEC = "exec"
    START = "start"
    BACKOFF = "backoff"


class Deadline(Struct, frozen=True, order=True, gc=False):
    """Due at `at`. `name` is a group (queue, exec) or a task (start, backoff: its attempt `retry_id`)."""

    at: datetime
    kind: DeadlineKind
    name: str
    retry_id: int = 0


def deadlines(state: Workflow) -> list[Deadline]:
    """Every deadline that stands. Costs what exists: for a workflow just loaded."""
    if state.plan is None or state.status in WORKFLOW_FINISHED:
        return []
    return [
        *(due for group in state.groups.values() if (due := _of_group(state, group))),
        *(due for task in state.tasks.values() if (due := _of_task(state, task))),
    ]


def next_deadline(state: Workflow) -> datetime | None:
    return min((deadline.at for deadline in deadlines(state)), default=None)


def deadlines_after(state: Workflow, events: Sequence[WorkflowEvent]) -> list[Deadline]:
    """The deadlines that these events, already folded, have armed. Costs what changed."""
    if state.plan is None or state.status in WORKFLOW_FINISHED:
        return []
    found = [due for event in events for due in _armed_by(state, event)]
    return list(dict.fromkeys(found))


def _armed_by(state: Workflow, event: WorkflowEvent) -> Iterator[Deadline]:
    match event:
        case GroupQueued(group=name):
            due = _of_group(state, state.groups[name])
            if due:
                yield due
        case TaskRunning(task=name) | TaskInitializing(task=name) | TaskRescheduled(task=name):
            task = state.tasks[name]
            for due in (_of_group(state, state.groups[task.group]), _of_task(state, task)):
                if due:
                    yield due
        case _:
            pass


def _of_group(state: Workflow, group: Group) -> Deadline | None:
    """In the queue until placed and begun: the queue timeout. From the first running task on: the exec timeout, never reset."""
    assert state.plan is not None
    if group.status in (TaskStatus.PROCESSING, TaskStatus.SCHEDULING) and group.processing_at and _queue_limit(state):
        return Deadline(group.processing_at + _queue_limit(state), DeadlineKind.QUEUE, group.name)
    if group.status is TaskStatus.RUNNING and group.started_at and _exec_limit(state):
        return Deadline(group.started_at + _exec_limit(state), DeadlineKind.EXEC, group.name)
    return None


def _of_task(state: Workflow, task: Task) -> Deadline | None:
    attempt = task.attempt
    if attempt.status is TaskStatus.INITIALIZING and attempt.initializing_at and _start_limit(state):
        return Deadline(attempt.initializing_at + _start_limit(state), DeadlineKind.START, task.name, attempt.retry_id)
    if attempt.status is TaskStatus.PROCESSING and attempt.not_before:
        return Deadline(attempt.not_before, DeadlineKind.BACKOFF, task.name, attempt.retry_id)
    return None


def _queue_limit(state: Workflow) -> timedelta:
    return timedelta(seconds=state.plan.queue_timeout_s if state.plan else 0)


def _exec_limit(state: Workflow) -> timedelta:
    return timedelta(seconds=state.plan.exec_timeout_s if state.plan else 0)


def _start_limit(state: Workflow) -> timedelta:
    return timedelta(seconds=state.plan.start_timeout_s if state.plan else 0)


def decide_timeouts(state: Workflow, due: Iterable[Deadline], now: datetime) -> list[WorkflowEvent]:
    """What these deadlines decide now; those that are no longer true, or not over yet, decide nothing. Changes the state.

    A queue or exec timeout ends its group from outside; a start timeout ends the attempt, so that exit actions apply to it.
    """
    draft = Draft(state, now)
    for deadline in due:
        if draft.over or deadline.at > now:
            continue
        if deadline.kind in (DeadlineKind.QUEUE, DeadlineKind.EXEC):
            _group_timeout(draft, deadline)
        elif deadline.kind is DeadlineKind.START:
            _start_timeout(draft, deadline)
    return draft.events


def _group_timeout(draft: Draft, deadline: Deadline) -> None:
    group = draft.state.groups.get(deadline.name)
    if group is None or group.status in GROUP_FINISHED or _of_group(draft.state, group) != deadline:
        return
    if deadline.kind is DeadlineKind.QUEUE:
        limit, status, verb = _queue_limit(draft.state), TaskStatus.FAILED_QUEUE_TIMEOUT, "waited in the queue"
    else:
        limit, status, verb = _exec_limit(draft.state), TaskStatus.FAILED_EXEC_TIMEOUT, "ran"
    message = f"Stopped, because it {verb} longer than the workflow's {deadline.kind}_timeout of {_readable(limit)}."
    end_group(draft, group, Ending(status, None, f"{deadline.kind}_timeout", message))


def _start_timeout(draft: Draft, deadline: Deadline) -> None:
    task = draft.live_attempt(deadline.name, deadline.retry_id)
    if task is None or _of_task(draft.state, task) != deadline:
        return
    message = (
        f"Stopped, because it was not running {_readable(_start_limit(draft.state))} after its pod had begun to start."
    )
    ending = Ending(TaskStatus.FAILED_START_TIMEOUT, ExitCode.START_TIMEOUT, "start_timeout", message)
    end_task(draft, task, ending, draft.now)


def _readable(limit: timedelta) -> str:
    """`1d 2h 30m 5s`, without the parts that are nothing."""
    rest, words = limit.total_seconds(), []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, rest = divmod(rest, seconds)
        if count:
            words.append(f"{count:.0f}{unit}")
    return " ".join(words if words and not rest else [*words, f"{rest:g}s"])
