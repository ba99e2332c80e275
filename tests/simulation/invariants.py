"""What must hold after every run, whatever the weather (architecture section 12). Each check returns what it found wrong, in words."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.simulation.workload import SimulatedWorkflow, status_of

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.pool import Priority
from osmo_domain.workflow.events import GroupFinished, TaskFinished, TaskPreempted, WorkflowEvent, WorkflowFinished
from osmo_domain.workflow.evolve import apply_commit
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import FINISHED, GROUP_FINISHED, WORKFLOW_FINISHED, ExitCode, TaskStatus

History = Sequence[Commit[WorkflowEvent | UnknownEvent]]


@dataclass(frozen=True)
class PodStart:
    """The cluster made a pod for this attempt at this time."""

    workflow_uuid: str
    task: str
    retry_id: int
    at: datetime


def folded(history: History) -> Workflow:
    state: Workflow | None = None
    for commit in history:
        state = apply_commit(state, commit)
    assert state is not None, "a history begins with the first event of its workflow"
    return state


def check_history(history: History) -> Iterator[str]:
    """Terminal is terminal, nothing is left unfinished, every event made sense when it was written."""
    state = folded(history)
    where = state.workflow_id
    if state.status not in WORKFLOW_FINISHED:
        yield f"{where} is stuck: {state.status}, {_unfinished(state)}"
        return
    if state.ignored:
        yield f"{where}: {state.ignored} events made no sense where they stand"
    for group in state.groups.values():
        if group.status not in GROUP_FINISHED:
            yield f"{where} is {state.status}, but its group {group.name} is {group.status}"
    for task in state.tasks.values():
        if task.status not in FINISHED:
            yield f"{where} is {state.status}, but its task {task.name} is {task.status}"
    ends = Counter(
        type(event).__name__ for commit in history for event in commit.events if isinstance(event, WorkflowFinished)
    )
    if any(count > 1 for count in ends.values()):
        yield f"{where} finished more than once"
    yield from _ended_twice(where, history)


def _ended_twice(where: str, history: History) -> Iterator[str]:
    ends: Counter[tuple[str, str, int]] = Counter()
    for commit in history:
        for event in commit.events:
            if isinstance(event, TaskFinished):
                ends["task", event.task, event.retry_id] += 1
            elif isinstance(event, GroupFinished):
                ends["group", event.group, 0] += 1
    for (kind, name, retry_id), count in ends.items():
        if count > 1:
            yield f"{where}: {kind} {name} (attempt {retry_id}) ended {count} times"


def _unfinished(state: Workflow) -> str:
    return ", ".join(
        f"{task.name} {task.status} (attempt {task.attempt.retry_id})"
        for task in state.tasks.values()
        if task.status not in FINISHED
    )


def check_outcome(asked: SimulatedWorkflow, history: History) -> Iterator[str]:
    """Nobody cancelled it: it ended exactly as its script says, but for what was stopped for others."""
    state = folded(history)
    if asked.cancel_asked or state.status not in WORKFLOW_FINISHED:
        return
    stopped = {name for name, task in state.tasks.items() if task.status is TaskStatus.FAILED_PREEMPTED}
    expected = asked.expected_with(stopped)
    if state.status.value != status_of(expected):
        yield f"{state.workflow_id} ended {state.status}, and should have ended {status_of(expected)}"
    for name, status in expected.items():
        task = state.tasks.get(name)
        if task is not None and task.status.value != status:
            yield f"{state.workflow_id}: task {name} ended {task.status}, and should have ended {status}"


def check_preemptions(history: History) -> Iterator[str]:
    """Only LOW work is stopped for others; whoever ended so was told for whom; and what goes again goes as often as it may first."""
    state = folded(history)
    told = {
        (event.task, event.retry_id)
        for commit in history
        for event in commit.events
        if isinstance(event, TaskPreempted)
    }
    if told and state.priority is not Priority.LOW:
        yield f"{state.workflow_id} is {state.priority}, and was preempted"
    for name, task in state.tasks.items():
        for attempt in (*task.earlier, task.attempt):
            if attempt.exit_code == ExitCode.PREEMPTED and (name, attempt.retry_id) not in told:
                yield f"{state.workflow_id}: task {name} (attempt {attempt.retry_id}) ended as preempted, and nobody preempted it"
        goes_again = state.plan is not None and "RESCHEDULE" in state.plan.default_exit_actions
        if task.status is TaskStatus.FAILED_PREEMPTED and goes_again and task.attempt.retry_id < 3:
            yield f"{state.workflow_id}: task {name} was to go again after attempt {task.attempt.retry_id}, and did not"


def check_starts(starts: Sequence[PodStart], histories: Mapping[str, History]) -> Iterator[str]:
    """No attempt ran twice; none ran before its upstreams completed; an earlier attempt had ended when the next began."""
    counts = Counter((start.workflow_uuid, start.task, start.retry_id) for start in starts)
    for (uuid, task, retry_id), count in counts.items():
        if count > 1:
            yield f"task {task} of {uuid}: attempt {retry_id} was started {count} times"
    states = {uuid: folded(history) for uuid, history in histories.items()}
    for start in starts:
        state = states.get(start.workflow_uuid)
        if state is None:
            yield f"a pod ran for {start.workflow_uuid}, which is in no log"
            continue
        yield from _started_too_early(state, start)


def _started_too_early(state: Workflow, start: PodStart) -> Iterator[str]:
    plan = state.group_plan(state.tasks[start.task].group)
    for upstream in plan.upstreams:
        group = state.groups[upstream]
        if group.status is not TaskStatus.COMPLETED or group.ended_at is None or group.ended_at > start.at:
            yield f"{state.workflow_id}: task {start.task} started before its upstream {upstream} completed"


def check_views(states: Mapping[str, Workflow], shown: Mapping[str, str]) -> Iterator[str]:
    """What the API shows is what the log says."""
    for workflow_id, state in states.items():
        if shown.get(workflow_id) != state.status.value:
            yield f"the view shows {workflow_id} as {shown.get(workflow_id)}, the log says {state.status}"
