"""What sightings of pods decide: how far attempts are, and how they ended."""

from collections.abc import Iterable
from datetime import datetime

from osmo_domain.cluster import GroupRefused, PodFact
from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.ends import end_group, end_task
from osmo_domain.workflow.events import TaskInitializing, TaskRunning, WorkflowEvent
from osmo_domain.workflow.exit_actions import Ending
from osmo_domain.workflow.pod_status import judge
from osmo_domain.workflow.state import Task, Workflow
from osmo_domain.workflow.status import FINISHED, ExitCode, TaskStatus


def decide_pods(state: Workflow, facts: Iterable[PodFact], now: datetime) -> list[WorkflowEvent]:
    """The events that these facts, in their order, mean for this workflow. Changes the state.

    Facts of earlier attempts, of attempts that have ended and of other workflows of the same id mean nothing; so do repeats and facts
    that would lead backwards.
    """
    draft = Draft(state, now)
    for fact in facts:
        task = draft.live_attempt(fact.task, fact.retry_id) if fact.workflow_uuid == state.uuid else None
        if task is not None and not draft.over:
            _one_pod(draft, task, fact)
    return draft.events


def _one_pod(draft: Draft, task: Task, fact: PodFact) -> None:
    seen = judge(fact)
    if seen.status in FINISHED:
        end_task(draft, task, seen, fact.at)
    elif seen.status is TaskStatus.RUNNING and task.status in (TaskStatus.SCHEDULING, TaskStatus.INITIALIZING):
        draft.add(TaskRunning(task=task.name, retry_id=fact.retry_id, at=fact.at, node=fact.node, ip=fact.ip))
    elif seen.status is TaskStatus.INITIALIZING and task.status is TaskStatus.SCHEDULING:
        draft.add(TaskInitializing(task=task.name, retry_id=fact.retry_id, at=fact.at, node=fact.node, ip=fact.ip))


def decide_lost(state: Workflow, attempts: Iterable[tuple[str, int]], why: str, now: datetime) -> list[WorkflowEvent]:
    """These attempts (task, retry_id) have no pod any more, and nobody saw it end: backend error 3001. Changes the state.

    The caller knows that they should have one: their node is gone, or an inventory that is newer than their pod lacks it.
    """
    draft = Draft(state, now)
    ending = Ending(TaskStatus.FAILED_BACKEND_ERROR, ExitCode.BACKEND_ERROR, "backend_error", why)
    for name, retry_id in attempts:
        task = draft.live_attempt(name, retry_id)
        if task is not None and not draft.over:
            end_task(draft, task, ending, now)
    return draft.events


def decide_refused(state: Workflow, fact: GroupRefused, now: datetime) -> list[WorkflowEvent]:
    """The cluster would not take a group: a server error of the group; for attempts that go again, a backend error of those. Changes the state."""
    draft = Draft(state, now)
    group = state.groups.get(fact.group)
    live = [task for name, retry_id in fact.retry_ids.items() if (task := draft.live_attempt(name, retry_id))]
    if fact.workflow_uuid != state.uuid or draft.over or group is None or not live:
        return []
    if any(task.attempt.retry_id for task in live):
        return decide_lost(state, [(task.name, task.attempt.retry_id) for task in live], fact.message, now)
    end_group(draft, group, Ending(TaskStatus.FAILED_SERVER_ERROR, ExitCode.SERVER_ERROR, "server_error", fact.message))
    return draft.events
