"""What the events of groups change. Called by `evolve` only; each function says False when the event makes no sense here."""

from typing import assert_never

from osmo_domain.pool import Priority
from osmo_domain.workflow.events import GroupFinished, GroupPlaced, GroupQueued, GroupUnplaced
from osmo_domain.workflow.state import Attempt, Group, Workflow
from osmo_domain.workflow.status import GROUP_FINISHED, TaskStatus

GroupMove = GroupQueued | GroupPlaced | GroupUnplaced | GroupFinished


def moved(state: Workflow, event: GroupMove) -> bool:
    group = state.groups.get(event.group)
    if group is None or group.status in GROUP_FINISHED:
        return False
    match event:
        case GroupQueued():
            return _queued(state, group, event)
        case GroupPlaced():
            return _placed(state, group, event)
        case GroupUnplaced():
            return _unplaced(state, group, event)
        case GroupFinished():
            return _finished(state, group, event)
    assert_never(event)


def _queued(state: Workflow, group: Group, event: GroupQueued) -> bool:
    if group.status is not TaskStatus.WAITING or group.remaining_upstreams:
        return False
    group.status, group.processing_at = TaskStatus.PROCESSING, event.at
    for task in state.group_plan(group.name).tasks:
        attempt = state.tasks[task.name].attempt
        if attempt.status is TaskStatus.WAITING:
            attempt.status, attempt.processing_at = TaskStatus.PROCESSING, event.at
    return True


def _placed(state: Workflow, group: Group, event: GroupPlaced) -> bool:
    """Every named attempt that is queued gets its node; others are left alone."""
    placed = [
        _give_place(attempt, node, event)
        for task, node in event.nodes.items()
        if (attempt := _queued_attempt(state, group, task, event.retry_ids)) is not None
    ]
    if placed and group.status is TaskStatus.PROCESSING:
        group.status, group.scheduling_at = TaskStatus.SCHEDULING, event.at
    return bool(placed)


def _queued_attempt(state: Workflow, group: Group, task: str, retry_ids: dict[str, int]) -> Attempt | None:
    known = state.tasks.get(task)
    if known is None or known.group != group.name or known.status is not TaskStatus.PROCESSING:
        return None
    return known.attempt if retry_ids.get(task) == known.attempt.retry_id else None


def _give_place(attempt: Attempt, node: str, event: GroupPlaced) -> Attempt:
    attempt.status, attempt.node, attempt.scheduling_at = TaskStatus.SCHEDULING, node, event.at
    return attempt


def _unplaced(state: Workflow, group: Group, event: GroupUnplaced) -> bool:
    """Takes places back that nothing has run in."""
    taken = 0
    for task in state.group_plan(group.name).tasks:
        attempt = state.tasks[task.name].attempt
        if attempt.status is TaskStatus.SCHEDULING:
            attempt.status, attempt.node, attempt.scheduling_at = TaskStatus.PROCESSING, "", None
            attempt.message = event.reason
            taken += 1
    if taken and group.status is TaskStatus.SCHEDULING:
        group.status, group.scheduling_at = TaskStatus.PROCESSING, None
    return taken > 0


def _finished(state: Workflow, group: Group, event: GroupFinished) -> bool:
    if group.unfinished or event.status not in GROUP_FINISHED:
        return False
    group.status, group.ended_at, group.message = event.status, event.at, event.message
    state.unfinished -= 1
    if event.status is TaskStatus.COMPLETED:
        for downstream in group.downstreams:
            state.groups[downstream].remaining_upstreams.discard(group.name)
    else:
        state.failed_statuses[event.status.value] = state.failed_statuses.get(event.status.value, 0) + 1
    return True


def priority_of(text: str) -> Priority:
    """NORMAL for a word that is none: the fold never raises."""
    return Priority.__members__.get(text, Priority.NORMAL)
