"""The effects of commits: which commands an agent must be given because of them. Derived, so that they can be derived again after a crash."""

from collections.abc import Iterable, Iterator, Sequence

from osmo_domain.command import Command, CreateGroup, DeleteGroup, RestartTasks
from osmo_domain.ids import derived_uuid
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupPlaced,
    GroupUnplaced,
    TaskRescheduled,
    TaskRestarted,
    WorkflowCancelRequested,
    WorkflowEvent,
)
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import FINISHED, WORKFLOW_FINISHED, TaskStatus


def commands_for(state: Workflow, events: Sequence[WorkflowEvent]) -> list[Command]:
    """The commands that follow from these events, which are folded into `state` already. In order: pods go before their next attempts come.

    Without epoch and tokens: who publishes adds those. A placement that is over by now commands nothing.
    """
    return [*_restarts(state, events), *(command for event in events for command in _of_event(state, event))]


def _of_event(state: Workflow, event: WorkflowEvent) -> Iterator[Command]:
    match event:
        case GroupPlaced(group=group, nodes=nodes):
            yield from _create(state, group, nodes)
        case TaskRescheduled(task=task, retry_id=retry_id):
            yield _delete(state, state.tasks[task].group, {task: retry_id})
        case GroupFinished(group=group) | GroupUnplaced(group=group):
            yield from _delete_all(state, group, unplaced=isinstance(event, GroupUnplaced))
        case WorkflowCancelRequested(force=True) if state.status in WORKFLOW_FINISHED:
            for group in state.groups:
                yield from _delete_all(state, group)
        case _:
            pass


def outstanding_commands(state: Workflow) -> list[Command]:
    """Creates of attempts that are placed and not yet seen, and restarts: what a scheduler that has just started publishes again.

    Deletes are not among them: an inventory that still lists a pod of an ended attempt brings those back.
    """
    placed: dict[str, dict[str, str]] = {}
    restarted: dict[str, dict[str, int]] = {}
    for task in state.tasks.values():
        if task.status is TaskStatus.SCHEDULING:
            placed.setdefault(task.group, {})[task.name] = task.attempt.node
        elif task.status is TaskStatus.RUNNING and task.attempt.restarts:
            restarted.setdefault(task.group, {})[task.name] = task.attempt.retry_id
    return [
        *(_restart(state, group, retry_ids) for group, retry_ids in restarted.items()),
        *(command for group, nodes in placed.items() for command in _create(state, group, nodes)),
    ]


def _create(state: Workflow, group: str, nodes: dict[str, str]) -> Iterator[Command]:
    wanted = {task: node for task, node in nodes.items() if state.tasks[task].status is TaskStatus.SCHEDULING}
    if wanted:
        yield CreateGroup(
            workflow_id=state.workflow_id,
            workflow_uuid=state.uuid,
            pool=state.pool,
            user=state.user,
            group_name=group,
            retry_ids={task: state.tasks[task].attempt.retry_id for task in wanted},
            nodes=wanted,
            group=state.group_plan(group),
        )


def _delete_all(state: Workflow, group: str, *, unplaced: bool = False) -> Iterator[Command]:
    """Every attempt of the group that was given a place: its pod has served."""
    attempts = {task.name: state.tasks[task.name].attempt for task in state.group_plan(group).tasks}
    placed = {name: attempt.retry_id for name, attempt in attempts.items() if unplaced or attempt.scheduling_at}
    if placed:
        yield _delete(state, group, placed)


def _delete(state: Workflow, group: str, retry_ids: dict[str, int]) -> DeleteGroup:
    return DeleteGroup(
        workflow_id=state.workflow_id,
        workflow_uuid=state.uuid,
        group_name=group,
        retry_ids=retry_ids,
        force=state.cancel_forced,
    )


def _restarts(state: Workflow, events: Iterable[WorkflowEvent]) -> Iterator[RestartTasks]:
    by_group: dict[str, dict[str, int]] = {}
    for event in events:
        if isinstance(event, TaskRestarted) and state.tasks[event.task].status not in FINISHED:
            by_group.setdefault(state.tasks[event.task].group, {})[event.task] = event.retry_id
    for group, retry_ids in by_group.items():
        yield _restart(state, group, retry_ids)


def _restart(state: Workflow, group: str, retry_ids: dict[str, int]) -> RestartTasks:
    return RestartTasks(
        workflow_id=state.workflow_id,
        workflow_uuid=state.uuid,
        group_name=group,
        retry_ids=retry_ids,
        restarts={task: state.tasks[task].attempt.restarts for task in retry_ids},
    )


def command_id(command: Command, *, again: str = "") -> str:
    """The same for the same command, whoever derives it; `again` tells a deliberate repetition from an accidental one."""
    nodes = command.nodes if isinstance(command, CreateGroup) else {}
    force = isinstance(command, DeleteGroup) and command.force
    attempts = (f"{task}={retry_id}@{nodes.get(task, '')}" for task, retry_id in sorted(command.retry_ids.items()))
    restarts = command.restarts if isinstance(command, RestartTasks) else {}
    counts = ",".join(str(count) for _, count in sorted(restarts.items()))
    kind = type(command).__name__
    return derived_uuid(command.workflow_uuid, command.group_name, kind, str(force), counts, again, *attempts)
