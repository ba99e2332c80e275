"""Stopping a group whose place somebody else has a right to (reference 2.13)."""

from datetime import datetime

from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.ends import end_preempted
from osmo_domain.workflow.events import TaskPreempted, WorkflowEvent
from osmo_domain.workflow.exit_actions import Ending
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import GROUP_FINISHED, PLACED, ExitCode, TaskStatus


def decide_preempted(state: Workflow, group: str, by: str, why: str, now: datetime) -> list[WorkflowEvent]:
    """Everything of this group that holds a place is stopped for `by` (workflow/group). Changes the state.

    Each task ends as FAILED_PREEMPTED, 3006, or goes again with the same priority where its exit actions or its pool's say so. A gang goes as a
    whole: nobody of it keeps running. Nothing is decided where the group has ended meanwhile or holds nothing.
    """
    draft = Draft(state, now)
    known = state.groups.get(group)
    if draft.over or known is None or known.status in GROUP_FINISHED:
        return []
    held = [task for task in draft.tasks_of(known) if task.status in PLACED]
    for task in held:
        draft.add(TaskPreempted(task=task.name, retry_id=task.attempt.retry_id, at=now, by=by, why=why))
    if held:
        message = f"Preempted by {by}: {why}"
        end_preempted(draft, known, Ending(TaskStatus.FAILED_PREEMPTED, ExitCode.PREEMPTED, "preempted", message))
    return draft.events
