"""Giving a queued group its place."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from osmo_domain.placement import PendingGroup, TaskRequest
from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.events import GroupPlaced, WorkflowEvent
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import GROUP_FINISHED, TaskStatus

TASKS_PER_EVENT: Final = 500
"""A larger gang is placed by several events, so that no commit grows beyond what the log takes."""


def pending_group(state: Workflow, name: str, order: int) -> PendingGroup | None:
    """What of this group waits for a place: all its tasks, or those that go again; None when nothing does."""
    group = state.groups.get(name)
    if group is None or group.status in GROUP_FINISHED or group.status is TaskStatus.WAITING:
        return None
    tasks = [
        state.tasks[task.name]
        for task in state.group_plan(name).tasks
        if state.tasks[task.name].status is TaskStatus.PROCESSING
    ]
    if not tasks:
        return None
    return PendingGroup(
        workflow_id=state.workflow_id,
        group=name,
        pool=state.pool,
        priority=state.priority,
        order=order,
        tasks=tuple(TaskRequest(task.name, state.task_plan(task.name).resources) for task in tasks),
        not_before=max((task.attempt.not_before for task in tasks if task.attempt.not_before), default=None),
    )


def decide_placed(
    state: Workflow, group: str, nodes: Mapping[str, str], now: datetime, *, quota: str = ""
) -> list[WorkflowEvent]:
    """The group (or what of it waits) is placed on these nodes: all of what waits, or nothing. Changes the state."""
    draft = Draft(state, now)
    waiting = pending_group(state, group, 0)
    if draft.over or state.plan is None or waiting is None or {task.task for task in waiting.tasks} != nodes.keys():
        return []
    for names in _portions(list(nodes)):
        draft.add(
            GroupPlaced(
                group=group,
                at=now,
                backend=state.plan.backend,
                nodes={task: nodes[task] for task in names},
                retry_ids={task: state.tasks[task].attempt.retry_id for task in names},
                quota=quota,
            )
        )
    return draft.events


def _portions(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + TASKS_PER_EVENT] for start in range(0, len(names), TASKS_PER_EVENT))
