"""The fold: what each event means for the state of a workflow. The only place that changes a state.

It never raises and never reads a clock. The state is changed in place, so that an event costs what it changes and not what exists. An
event that makes no sense where it stands (a second end, an attempt that is not the latest, a group whose upstreams still run) leaves the
state as it is and is counted in `ignored`: history is true even when it is odd.
"""

from collections.abc import Iterable
from typing import assert_never

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.plan import GroupPlan, Plan
from osmo_domain.workflow import evolve_group, evolve_task
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupPlaced,
    GroupQueued,
    GroupUnplaced,
    TaskDownloaded,
    TaskDownloading,
    TaskFinished,
    TaskInitializing,
    TaskPreempted,
    TaskRescheduled,
    TaskRestarted,
    TaskRunning,
    TaskUploading,
    WorkflowCancelRequested,
    WorkflowEvent,
    WorkflowFinished,
    WorkflowRejected,
    WorkflowSubmitted,
    WorkflowTagged,
)
from osmo_domain.workflow.state import Group, Task, Workflow
from osmo_domain.workflow.status import WORKFLOW_ALIVE, WORKFLOW_FINISHED, TaskStatus, WorkflowStatus


def fold(commits: Iterable[Commit[WorkflowEvent | UnknownEvent]], state: Workflow | None = None) -> Workflow | None:
    """The state after these commits, starting from `state` (which is changed)."""
    for commit in commits:
        state = apply_commit(state, commit)
    return state


def apply_commit(state: Workflow | None, commit: Commit[WorkflowEvent | UnknownEvent]) -> Workflow | None:
    """Fold one commit and count it in `version`. None while the workflow has no first event."""
    for event in commit.events:
        state = evolve(state, event)
    if state is not None:
        state.version += 1
    return state


def evolve(state: Workflow | None, event: WorkflowEvent | UnknownEvent) -> Workflow | None:
    """Fold one event into the state and return it; a new state for the first event of a workflow."""
    if state is None:
        return _first(event)
    if not _changed(state, event):
        state.ignored += 1
    return state


def _first(event: WorkflowEvent | UnknownEvent) -> Workflow | None:
    match event:
        case WorkflowSubmitted():
            return _submitted(event)
        case WorkflowRejected():
            return _rejected(event)
        case _:
            return None


def _changed(state: Workflow, event: WorkflowEvent | UnknownEvent) -> bool:
    """Fold the event; False when it makes no sense here."""
    match event:
        case WorkflowTagged():
            return _tagged(state, event)
        case WorkflowCancelRequested():
            return _cancel_requested(state, event)
        case UnknownEvent():
            return True
        case _ if state.status in WORKFLOW_FINISHED:
            return False
        case TaskInitializing() | TaskRunning() | TaskFinished() | TaskRescheduled():
            return evolve_task.moved(state, event)
        case TaskDownloading() | TaskDownloaded() | TaskUploading() | TaskRestarted() | TaskPreempted():
            return evolve_task.noted(state, event)
        case GroupQueued() | GroupPlaced() | GroupUnplaced() | GroupFinished():
            return evolve_group.moved(state, event)
        case WorkflowFinished():
            return _finished(state, event)
        case WorkflowSubmitted() | WorkflowRejected():
            return False
    assert_never(event)


def _submitted(event: WorkflowSubmitted) -> Workflow:
    plan = event.plan
    state = Workflow(
        workflow_id=event.workflow_id,
        uuid=event.uuid,
        user=event.user,
        submitted_at=event.at,
        pool=plan.pool if plan else "",
        plan=plan,
        plan_blob=event.plan_blob,
        spec_blob=event.spec_blob,
        template_blob=event.template_blob,
        parent_name=event.parent_name,
        parent_number=event.parent_number,
        app_uuid=event.app_uuid,
        app_version=event.app_version,
        tags=event.tags,
    )
    if plan is not None:
        _lay_out(state, plan)
    return state


def _lay_out(state: Workflow, plan: Plan) -> None:
    """Groups and tasks of the plan, all waiting."""
    state.priority, state.labels = plan.priority, dict(plan.labels)
    downstreams: dict[str, list[str]] = {group.name: [] for group in plan.groups}
    for group in plan.groups:
        for upstream in dict.fromkeys(group.upstreams):
            downstreams.setdefault(upstream, []).append(group.name)
    for group in plan.groups:
        state.groups[group.name] = _group(group, tuple(downstreams[group.name]))
        for task in group.tasks:
            state.tasks[task.name] = Task(name=task.name, group=group.name, lead=task.lead)
    state.unfinished = len(plan.groups)


def _group(plan: GroupPlan, downstreams: tuple[str, ...]) -> Group:
    return Group(
        name=plan.name,
        remaining_upstreams=set(plan.upstreams),
        downstreams=downstreams,
        unfinished=len(plan.tasks),
    )


def _rejected(event: WorkflowRejected) -> Workflow:
    return Workflow(
        workflow_id=event.workflow_id,
        uuid=event.uuid,
        user=event.user,
        submitted_at=event.at,
        pool=event.pool,
        priority=evolve_group.priority_of(event.priority),
        status=WorkflowStatus.FAILED_SUBMISSION,
        ended_at=event.at,
        message=event.message,
        spec_blob=event.spec_blob,
        labels=dict(event.labels),
    )


def _tagged(state: Workflow, event: WorkflowTagged) -> bool:
    kept = [tag for tag in state.tags if tag not in event.remove]
    state.tags = tuple(dict.fromkeys([*kept, *event.add]))
    return True


def _cancel_requested(state: Workflow, event: WorkflowCancelRequested) -> bool:
    """The first request is the one that counts; a later one may only add force, which also tells how pods are to go after the end."""
    ended = state.status in WORKFLOW_FINISHED
    if not event.force and (ended or state.cancel_requested_by):
        return False
    if not ended and not state.cancel_requested_by:
        state.cancel_requested_by, state.cancel_message = event.user, event.message
    state.cancel_forced = state.cancel_forced or event.force
    return True


def _finished(state: Workflow, event: WorkflowFinished) -> bool:
    if state.unfinished or event.status in WORKFLOW_ALIVE:
        return False
    state.status, state.ended_at = event.status, event.at
    if state.failed_statuses.get(TaskStatus.FAILED_CANCELED):
        state.canceled_by = state.cancel_requested_by
    return True
