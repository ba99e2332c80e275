"""What holds for every history, however odd, and for every life of a workflow, however wild."""

import copy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from libs.domain.tests.life import START, Life, ctrl, gang, plan, single, submitted, task, user

from osmo_domain.cluster import PodPhase
from osmo_domain.commit import Commit
from osmo_domain.plan import GroupPlan, Plan
from osmo_domain.report import TaskPhase, TaskReported
from osmo_domain.workflow.decide import decide_reports, decide_start, pending_group
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupPlaced,
    GroupQueued,
    GroupUnplaced,
    TaskDownloading,
    TaskFinished,
    TaskInitializing,
    TaskPreempted,
    TaskRescheduled,
    TaskRestarted,
    TaskRunning,
    WorkflowCancelRequested,
    WorkflowFinished,
    WorkflowTagged,
)
from osmo_domain.workflow.evolve import apply_commit, evolve, fold
from osmo_domain.workflow.resting import put_to_rest, wake
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import (
    FINISHED,
    GROUP_FINISHED,
    PLACED,
    WORKFLOW_FINISHED,
    TaskStatus,
    WorkflowStatus,
)

DIAMOND = plan(
    gang("top", task("t1", exit_actions={"RESCHEDULE": "1-3"}), task("t2", lead=False), ignore_nonlead_status=False),
    single("left", "top"),
    single("right", "top"),
    gang("low", task("l1"), task("l2", lead=False), upstreams=("left", "right")),
    exec_timeout_s=500,
    queue_timeout_s=500,
)
TASKS = ("t1", "t2", "left", "right", "l1", "l2", "stranger")
GROUPS = ("top", "left", "right", "low", "stranger")

names, groups = st.sampled_from(TASKS), st.sampled_from(GROUPS)
retries, statuses = st.integers(0, 2), st.sampled_from(list(TaskStatus))
at = st.just(START)
any_event = st.one_of(
    st.builds(GroupQueued, group=groups, at=at),
    st.builds(
        GroupPlaced,
        group=groups,
        at=at,
        backend=st.just("default"),
        nodes=st.dictionaries(names, st.just("n")),
        retry_ids=st.dictionaries(names, retries),
    ),
    st.builds(GroupUnplaced, group=groups, at=at, reason=st.just("")),
    st.builds(GroupFinished, group=groups, at=at, status=statuses),
    st.builds(TaskInitializing, task=names, retry_id=retries, at=at),
    st.builds(TaskRunning, task=names, retry_id=retries, at=at),
    st.builds(TaskDownloading, task=names, retry_id=retries, at=at),
    st.builds(TaskFinished, task=names, retry_id=retries, at=at, status=statuses),
    st.builds(TaskRescheduled, task=names, retry_id=retries, at=at),
    st.builds(TaskRestarted, task=names, retry_id=retries, at=at),
    st.builds(TaskPreempted, task=names, retry_id=retries, at=at, by=st.just("x")),
    st.builds(WorkflowCancelRequested, user=st.just("u"), at=at, force=st.booleans()),
    st.builds(WorkflowTagged, at=at, add=st.just(("x",))),
    st.builds(WorkflowFinished, at=at, status=st.sampled_from(list(WorkflowStatus))),
    st.just(submitted(DIAMOND)),
)


def check(state: Workflow) -> None:
    """The invariants of architecture section 12 that one workflow can show."""
    for group in state.groups.values():
        members = [state.tasks[member.name] for member in state.group_plan(group.name).tasks]
        assert group.unfinished == sum(member.status not in GROUP_FINISHED for member in members)
        upstreams = [state.groups[name] for name in state.group_plan(group.name).upstreams]
        assert group.remaining_upstreams == {u.name for u in upstreams if u.status is not TaskStatus.COMPLETED}
        if any(member.status in PLACED for member in members) or group.processing_at:
            assert not group.remaining_upstreams, "started before its upstreams completed"
        if group.status in GROUP_FINISHED:
            assert not group.unfinished
    for known in state.tasks.values():
        assert [attempt.retry_id for attempt in known.earlier] == list(range(known.attempt.retry_id))
        assert all(attempt.status is TaskStatus.RESCHEDULED for attempt in known.earlier), "two live attempts"
    assert state.unfinished == sum(group.status not in GROUP_FINISHED for group in state.groups.values())
    if state.status in WORKFLOW_FINISHED:
        assert not state.unfinished


@given(st.lists(any_event, max_size=40))
def test_no_order_of_events_raises_or_breaks_an_invariant(events: list[Any]) -> None:
    state: Workflow | None = evolve(None, submitted(DIAMOND))
    for event in events:
        before = copy.deepcopy(state)
        state = evolve(state, event)
        assert state is not None
        check(state)
        assert before is not None
        if before.status in WORKFLOW_FINISHED:
            assert (state.status, state.groups, state.tasks) == (before.status, before.groups, before.tasks)
        for name, known in before.groups.items():
            if known.status in GROUP_FINISHED:
                assert state.groups[name] == known


@given(st.lists(any_event, max_size=10))
def test_events_before_the_first_mean_nothing(events: list[Any]) -> None:
    state = None
    for event in events:
        state = evolve(state, event)
        if event == submitted(DIAMOND):
            assert state is not None
            break
        assert state is None


@given(st.lists(st.lists(any_event, max_size=4), max_size=12), st.integers(0, 12))
def test_fold_of_all_is_fold_of_snapshot_and_tail(batches: list[list[Any]], cut: int) -> None:
    commits = [
        Commit[Any](id=str(n), at=START, actor="t", events=batch)
        for n, batch in enumerate([[submitted(DIAMOND)], *batches])
    ]
    head = fold(commits[: cut + 1])
    snapshot = msgspec.msgpack.encode(head)
    resumed = fold(commits[cut + 1 :], msgspec.msgpack.decode(snapshot, type=Workflow))
    whole = fold(commits)
    assert resumed == whole
    assert whole is not None
    assert whole.version == len(commits)
    assert whole.copy() == whole
    assert wake(put_to_rest(whole)) == whole


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A DAG of plain tasks and gangs."""
    made: list[GroupPlan] = []
    for number in range(draw(st.integers(1, 5))):
        upstreams = tuple(g.name for g in made if draw(st.booleans()))
        actions = draw(st.sampled_from([{}, {"RESCHEDULE": "1"}, {"COMPLETE": "1"}, {"FAIL": "0"}]))
        members = [task(f"g{number}-t0", exit_actions=actions)]
        members += [task(f"g{number}-t{n}", lead=False) for n in range(1, draw(st.integers(1, 3)))]
        made.append(gang(f"g{number}", *members, upstreams=upstreams, ignore_nonlead_status=draw(st.booleans())))
    return plan(*made, exec_timeout_s=100, queue_timeout_s=100, start_timeout_s=50, max_retry_per_task=2)


class AnyLife(RuleBasedStateMachine):
    """Decisions in any order on any plan: no event that a decision makes is ever ignored, and what is over stays over."""

    @initialize(of=plans())
    def submit(self, of: Plan) -> None:
        self.life = Life(of)
        self.ended: set[str] = set()

    def _task(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.life.state.tasks)))

    @rule(data=st.data())
    def place(self, data: st.DataObject) -> None:
        queued = [name for name in self.life.state.groups if pending_group(self.life.state, name, 1)]
        if queued:
            self.life.place(data.draw(st.sampled_from(queued)))

    @rule(
        data=st.data(),
        phase=st.sampled_from(list(PodPhase)),
        code=st.integers(0, 3),
        ctrl_code=st.sampled_from([0, 0, 12]),
        reason=st.sampled_from(["", "", "", "Evicted", "Preempted"]),
        retry_id=st.one_of(st.none(), st.integers(0, 2)),
    )
    def see_pod(
        self, data: st.DataObject, phase: PodPhase, code: int, ctrl_code: int, reason: str, retry_id: int | None
    ) -> None:
        ended = phase is PodPhase.FAILED
        containers = (user(code), ctrl(ctrl_code)) if ended else ()
        self.life.pod(self._task(data), phase, containers=containers, reason=reason, retry_id=retry_id)

    @rule(data=st.data(), phase=st.sampled_from(list(TaskPhase)))
    def report(self, data: st.DataObject, phase: TaskPhase) -> None:
        said = TaskReported(
            workflow_id="wf-1", task=self._task(data), retry_id=data.draw(retries), phase=phase, at=self.life.now
        )
        self.life.commit(decide_reports(self.life.state, [said], self.life.now))

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        self.life.after(seconds=seconds).time_out()

    @precondition(lambda self: self.life.state.status not in WORKFLOW_FINISHED)
    @rule()
    def cancel(self) -> None:
        if not self.life.state.cancel_requested_by and len(self.life.commits) > 12:
            self.life.cancel()
            assert self.life.state.status is WorkflowStatus.FAILED_CANCELED

    @rule()
    def decide_again(self) -> None:
        """Whatever is decided is decided whole: nothing is left over for the next start."""
        assert decide_start(self.life.state, self.life.now) == []

    @invariant()
    def holds(self) -> None:
        check(self.life.state)
        ended = {g.name for g in self.life.state.groups.values() if g.status in GROUP_FINISHED}
        assert self.ended <= ended
        self.ended = ended
        if not self.life.state.unfinished:
            assert self.life.state.status in WORKFLOW_FINISHED
            assert all(known.status in FINISHED for known in self.life.state.tasks.values())

    def teardown(self) -> None:
        if hasattr(self, "life"):
            assert self.life.replayed() == self.life.state


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(plans(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_decision_cut_in_the_middle_is_taken_up_again(of: Plan, data: st.DataObject) -> None:
    """A long decision is several commits; whoever comes after a crash between them decides the rest, and the end is the same."""
    life = Life(of)
    for name in list(life.state.tasks):
        if life.state.tasks[name].status is TaskStatus.PROCESSING:
            life.run(name)
    victim = data.draw(
        st.sampled_from(sorted(n for n, t in life.state.tasks.items() if t.status is TaskStatus.RUNNING))
    )
    before = life.replayed()
    events = life.exit(victim, 2)
    cut = data.draw(st.integers(1, len(events)))
    apply_commit(before, Commit[Any](id="cut", at=life.now, actor="t", events=events[:cut]))
    decide_start(before, life.now)
    assert before.groups.keys() == life.state.groups.keys()
    assert {n: t.status for n, t in before.tasks.items()} == {n: t.status for n, t in life.state.tasks.items()}
    assert before.status is life.state.status
