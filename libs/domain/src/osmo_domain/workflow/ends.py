"""What follows when a task or a group ends (reference 2.6): its gang, its group, the groups downstream, the workflow.

Every rule looks at the state and not at how it came to be, so that a chain of consequences that was cut short (a crash between two commits
of one long decision) is taken up again by `resume`.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from osmo_domain.workflow.aggregation import group_status, workflow_status
from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupQueued,
    TaskFinished,
    TaskRescheduled,
    TaskRestarted,
    WorkflowFinished,
)
from osmo_domain.workflow.exit_actions import Ending, after_exit_actions, backoff
from osmo_domain.workflow.state import Group, Task
from osmo_domain.workflow.status import CANCELED, FAILED, FINISHED, GROUP_FINISHED, PLACED, ExitCode, TaskStatus

OF_WHOLE_GROUPS: Final = CANCELED | {TaskStatus.FAILED_UPSTREAM, TaskStatus.FAILED_SERVER_ERROR}
"""No task gets one of these alone: who finds one in a group that has not ended finds an interrupted end of the group."""

LONGEST_MESSAGE: Final = 4_096
"""Characters of a container's last words that are worth keeping."""


def end_task(draft: Draft, task: Task, seen: Ending, at: datetime) -> None:
    """One attempt ended by itself, at `at`: exit actions decide whether the task ends with it, and all that follows is decided too."""
    ending = _after_exit_actions(draft, task, seen)
    if ending.status is TaskStatus.RESCHEDULED:
        _reschedule(draft, task, ending, at)
    else:
        _finish_task(draft, task, ending, at)
        _after_task(draft, task)


def end_preempted(draft: Draft, group: Group, seen: Ending) -> None:
    """Every attempt of the group that holds a place ends at once. Exit actions of each task decide whether it goes again; what one end means for the
    others is the same as ever, but that nobody is left to run."""
    held = [task for task in draft.tasks_of(group) if task.status in PLACED]
    endings = {task.name: _after_exit_actions(draft, task, seen) for task in held}
    for task in held:
        if endings[task.name].status is TaskStatus.RESCHEDULED:
            _reschedule(draft, task, endings[task.name], draft.now, alone=True)
    for task in held:
        if task.status not in FINISHED and task.status in PLACED:
            _finish_task(draft, task, endings[task.name], draft.now)
    for task in held:
        if task.status in GROUP_FINISHED and group.status not in GROUP_FINISHED:
            _after_task(draft, task)


def end_group(draft: Draft, group: Group, ending: Ending) -> None:
    """The whole group ends from outside (cancel, timeout, upstream, server error): no exit actions. Downstream follows."""
    _end_all_tasks(draft, group, ending)
    _close_group(draft, group, ending.status, ending.message)
    after_groups(draft, [group])


def end_groups_at_once(draft: Draft, groups: Iterable[Group], ending: Ending) -> None:
    """As `end_group` for several, so that none of them ends for having a failed upstream among the others."""
    ended = list(groups)
    for group in ended:
        _end_all_tasks(draft, group, ending)
        _close_group(draft, group, ending.status, ending.message)
    after_groups(draft, ended)


def after_groups(draft: Draft, ended: Iterable[Group]) -> None:
    """Queue or fail what stands downstream of these ended groups, and end the workflow when all have ended."""
    todo = deque(ended)
    while todo:
        group = todo.popleft()
        for name in group.downstreams:
            downstream = draft.state.groups[name]
            if group.status is TaskStatus.COMPLETED:
                queue_if_ready(draft, downstream)
            elif downstream.status not in GROUP_FINISHED:
                ending = _with_the_upstream(draft, group)
                _end_all_tasks(draft, downstream, ending)
                _close_group(draft, downstream, ending.status, ending.message)
                todo.append(downstream)
    if not draft.state.unfinished and not draft.over:
        draft.add(WorkflowFinished(status=workflow_status(draft.state), at=draft.now))


def queue_if_ready(draft: Draft, group: Group) -> None:
    if group.status is TaskStatus.WAITING and not group.remaining_upstreams:
        draft.add(GroupQueued(group=group.name, at=draft.now))


def resume(draft: Draft) -> None:
    """Take up whatever follows from the state and has not been decided yet. Costs what exists: for a workflow just submitted or loaded."""
    for group in draft.state.groups.values():
        queue_if_ready(draft, group)
        if group.status not in GROUP_FINISHED:
            _resume_group(draft, group)
    after_groups(draft, [group for group in draft.state.groups.values() if group.status in GROUP_FINISHED])


def _resume_group(draft: Draft, group: Group) -> None:
    ended = [task for task in draft.tasks_of(group) if task.status in GROUP_FINISHED]
    for task in ended:
        if task.status in OF_WHOLE_GROUPS:
            attempt = task.attempt
            end_group(draft, group, Ending(attempt.status, attempt.exit_code, attempt.reason, attempt.message))
            return
    for task in ended:
        if group.status not in GROUP_FINISHED:
            _after_task(draft, task)


def _after_exit_actions(draft: Draft, task: Task, seen: Ending) -> Ending:
    plan = draft.state.plan
    assert plan is not None
    return after_exit_actions(
        seen,
        (draft.state.task_plan(task.name).exit_actions, plan.default_exit_actions),
        retry_id=task.attempt.retry_id,
        max_retries=plan.max_retry_per_task,
    )


def _finish_task(draft: Draft, task: Task, ending: Ending, at: datetime) -> None:
    draft.add(
        TaskFinished(
            task=task.name,
            retry_id=task.attempt.retry_id,
            status=ending.status,
            at=at,
            exit_code=ending.exit_code,
            reason=ending.reason,
            message=ending.message[:LONGEST_MESSAGE],
        )
    )


def _after_task(draft: Draft, task: Task) -> None:
    group = draft.state.groups[task.group]
    plan = draft.plan_of(group)
    if task.lead:
        _end_all_tasks(draft, group, _with_the_lead(task))
    elif task.status in FAILED and not plan.ignore_nonlead_status:
        _end_all_tasks(draft, group, _with_the_culprit(task))
    if not group.unfinished:
        status = group_status(list(draft.tasks_of(group)), ignore_nonlead=plan.ignore_nonlead_status)
        _close_group(draft, group, status, _message_of_end(task, status))
        after_groups(draft, [group])


def _with_the_upstream(draft: Draft, group: Group) -> Ending:
    tasks = list(draft.tasks_of(group))
    who = f"task {tasks[0].name}" if len(tasks) == 1 else f"group {group.name}"
    message = f"Not run, because {who} ended as {group.status}."
    return Ending(TaskStatus.FAILED_UPSTREAM, ExitCode.UPSTREAM, "upstream", message)


def _with_the_lead(lead: Task) -> Ending:
    message = f"Stopped, because {lead.name}, the lead task of the group, ended as {_end_of(lead)}."
    status = TaskStatus.COMPLETED if lead.status is TaskStatus.COMPLETED else TaskStatus.FAILED
    return Ending(status, None, "lead_finished", message)


def _with_the_culprit(culprit: Task) -> Ending:
    message = f"Stopped, because task {culprit.name} of the same group ended as {_end_of(culprit)}."
    return Ending(TaskStatus.FAILED, None, "member_failed", message)


def _end_of(task: Task) -> str:
    code = task.attempt.exit_code
    return f"{task.status} with exit code {code}" if code else task.status.value


def _message_of_end(task: Task, status: TaskStatus) -> str:
    """Why the group failed, in the words of the task that ended it."""
    return task.attempt.message if status in FAILED else ""


def _end_all_tasks(draft: Draft, group: Group, ending: Ending) -> None:
    if not group.unfinished:
        return
    for task in draft.tasks_of(group):
        if task.status not in FINISHED:
            _finish_task(draft, task, ending, draft.now)


def _close_group(draft: Draft, group: Group, status: TaskStatus, message: str) -> None:
    draft.add(GroupFinished(group=group.name, status=status, at=draft.now, message=message))


def _reschedule(draft: Draft, task: Task, ending: Ending, at: datetime, *, alone: bool = False) -> None:
    """The attempt goes again; where the gang stands or falls together, the others run their commands again in place (`alone`: not here)."""
    group, retry_id = draft.state.groups[task.group], task.attempt.retry_id
    draft.add(
        TaskRescheduled(
            task=task.name,
            retry_id=retry_id,
            at=at,
            exit_code=ending.exit_code,
            message=ending.message[:LONGEST_MESSAGE],
            not_before=draft.now + backoff(retry_id),
        )
    )
    if not alone and (task.lead or not draft.plan_of(group).ignore_nonlead_status):
        _restart_others(draft, group, task)


def _restart_others(draft: Draft, group: Group, rescheduled: Task) -> None:
    for task in draft.tasks_of(group):
        if task is not rescheduled and task.status is TaskStatus.RUNNING:
            draft.add(
                TaskRestarted(
                    task=task.name,
                    retry_id=task.attempt.retry_id,
                    at=draft.now,
                    message=f"Task {rescheduled.name} of the group is run again.",
                )
            )
