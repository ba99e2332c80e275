"""A small world for tests of the aggregate: plans in one line each, a clock that is moved by hand, pods that say what they are told."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from osmo_domain.cluster import ContainerState, PodFact, PodPhase
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.plan import GroupPlan, Plan, TaskPlan
from osmo_domain.workflow.commands import commands_for
from osmo_domain.workflow.deadlines import deadlines
from osmo_domain.workflow.decide import (
    decide_cancel,
    decide_placed,
    decide_pods,
    decide_start,
    decide_timeouts,
    pending_group,
)
from osmo_domain.workflow.events import (
    WORKFLOW_CODEC,
    WorkflowCancelRequested,
    WorkflowEvent,
    WorkflowSubmitted,
)
from osmo_domain.workflow.evolve import evolve, fold
from osmo_domain.workflow.state import Workflow

START = datetime(2026, 1, 1, tzinfo=UTC)
UUID = "0123456789abcdef0123456789abcdef"


def task(name: str, *, lead: bool = True, **fields: Any) -> TaskPlan:
    return TaskPlan(name=name, image="alpine", command=("true",), lead=lead, **fields)


def single(name: str, *upstreams: str, **fields: Any) -> GroupPlan:
    """A plain task: group `<name>` of the one task `<name>`, after these groups."""
    return GroupPlan(name=name, tasks=(task(name, **fields),), upstreams=upstreams)


def gang(
    name: str, *members: TaskPlan, ignore_nonlead_status: bool = True, upstreams: tuple[str, ...] = ()
) -> GroupPlan:
    return GroupPlan(name=name, tasks=members, upstreams=upstreams, ignore_nonlead_status=ignore_nonlead_status)


def plan(*groups: GroupPlan, **fields: Any) -> Plan:
    fields.setdefault("max_retry_per_task", 3)
    return Plan(name="wf", pool="default", backend="default", groups=groups, **fields)


def submitted(of: Plan) -> WorkflowSubmitted:
    return WorkflowSubmitted(workflow_id="wf-1", uuid=UUID, user="ann", at=START, plan=of)


class Life:
    """One workflow that is driven by hand. Every decision is kept as a commit; `events` is all of them."""

    def __init__(self, of: Plan) -> None:
        self.now = START
        self.commits: list[Commit[Any]] = []
        state = evolve(None, submitted(of))
        assert state is not None
        self.state: Workflow = state
        self._keep([submitted(of)])
        self.commit(decide_start(self.state, self.now))

    @property
    def events(self) -> list[WorkflowEvent]:
        return [event for commit in self.commits for event in commit.events]

    def _keep(self, events: list[WorkflowEvent]) -> None:
        self.commits.append(Commit(id=str(len(self.commits)), at=self.now, actor="test", events=events))
        self.state.version += 1

    def commit(self, events: list[WorkflowEvent]) -> list[WorkflowEvent]:
        if events:
            self._keep(events)
        assert self.state.ignored == 0
        return events

    def after(self, **delta: float) -> "Life":
        self.now += timedelta(**delta)
        return self

    def place(self, group: str) -> list[WorkflowEvent]:
        waiting = pending_group(self.state, group, 1)
        assert waiting is not None, f"{group} does not wait for a place"
        nodes = {request.task: "node-1" for request in waiting.tasks}
        return self.commit(decide_placed(self.state, group, nodes, self.now))

    def pod(self, name: str, phase: PodPhase, **fields: Any) -> list[WorkflowEvent]:
        return self.commit(decide_pods(self.state, [self.fact(name, phase, **fields)], self.now))

    def fact(self, name: str, phase: PodPhase, *, retry_id: int | None = None, **fields: Any) -> PodFact:
        known = self.state.tasks[name]
        return PodFact(
            workflow_id="wf-1",
            workflow_uuid=UUID,
            group=known.group,
            task=name,
            retry_id=known.attempt.retry_id if retry_id is None else retry_id,
            pod_name=f"pod-{name}",
            phase=phase,
            at=self.now,
            **fields,
        )

    def run(self, *names: str) -> None:
        """Place the tasks' groups where that is still to do, and let the pods run."""
        for name in names:
            group = self.state.tasks[name].group
            if pending_group(self.state, group, 1):
                self.place(group)
            self.pod(name, PodPhase.RUNNING)

    def exit(self, name: str, code: int, **fields: Any) -> list[WorkflowEvent]:
        if code == 0:
            return self.pod(name, PodPhase.SUCCEEDED)
        return self.pod(name, PodPhase.FAILED, containers=(user(code, **fields),))

    def cancel(self, *, force: bool = False) -> list[WorkflowEvent]:
        request = WorkflowCancelRequested(user="bob", at=self.now, message="no longer needed", force=force)
        evolve(self.state, request)
        self._keep([request])
        return self.commit(decide_cancel(self.state, self.now))

    def time_out(self) -> list[WorkflowEvent]:
        return self.commit(decide_timeouts(self.state, deadlines(self.state), self.now))

    def commands(self, events: list[WorkflowEvent]) -> list[Any]:
        return commands_for(self.state, events)

    def tasks(self) -> dict[str, str]:
        return {name: known.status.value for name, known in self.state.tasks.items()}

    def groups(self) -> dict[str, str]:
        return {name: known.status.value for name, known in self.state.groups.items()}

    def replayed(self) -> Workflow:
        """The state as somebody else folds it from the bytes in the log."""
        state = fold(WORKFLOW_CODEC.decode(data) for data in self.written())
        assert state is not None
        return state

    def written(self) -> Iterable[bytes]:
        return [encode_commit(commit) for commit in self.commits]


def user(code: int, **fields: Any) -> ContainerState:
    return ContainerState(name="user", role="user", exit_code=code, **fields)


def ctrl(code: int, **fields: Any) -> ContainerState:
    return ContainerState(name="osmo-ctrl", role="ctrl", exit_code=code, **fields)
