"""The small pure rules: exit actions, what a pod's look means, backoff, deadlines, aggregation and resuming."""

from datetime import timedelta
from typing import Any

import pytest
from libs.domain.tests.life import START, Life, ctrl, gang, plan, single, submitted, task, user

from osmo_domain.cluster import ContainerState, PodFact, PodPhase
from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.report import TaskPhase, TaskReported
from osmo_domain.workflow.deadlines import DeadlineKind, deadlines, deadlines_after, decide_timeouts, next_deadline
from osmo_domain.workflow.decide import decide_cancel, decide_reports, decide_start
from osmo_domain.workflow.events import WorkflowCancelRequested, WorkflowRejected, WorkflowSubmitted, WorkflowTagged
from osmo_domain.workflow.evolve import apply_commit, evolve, fold
from osmo_domain.workflow.exit_actions import Ending, after_exit_actions, backoff, in_ranges
from osmo_domain.workflow.pod_status import judge
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus


def pod(phase: PodPhase, *containers: ContainerState, reason: str = "") -> PodFact:
    return PodFact("wf-1", "u", "g", "t", 0, "pod", phase, START, reason=reason, containers=containers)


def waiting(reason: str) -> ContainerState:
    return ContainerState("user", "user", reason=reason, waiting=True)


@pytest.mark.parametrize(
    ("fact", "status", "code"),
    [
        (pod(PodPhase.PENDING), "SCHEDULING", None),
        (pod(PodPhase.INITIALIZING), "INITIALIZING", None),
        (pod(PodPhase.RUNNING), "RUNNING", None),
        (pod(PodPhase.RUNNING, user(0)), "RUNNING", None),
        (pod(PodPhase.RUNNING, user(3), ctrl(0)), "RUNNING", None),
        (pod(PodPhase.RUNNING, ctrl(2)), "FAILED", 2002),
        (pod(PodPhase.SUCCEEDED), "COMPLETED", 0),
        (pod(PodPhase.FAILED, user(3)), "FAILED", 3),
        (pod(PodPhase.FAILED, user(3), ctrl(12)), "FAILED", 2012),
        (pod(PodPhase.FAILED, user(3), ctrl(2012)), "FAILED", 2012),
        (pod(PodPhase.FAILED, ContainerState("osmo-init", "init", exit_code=1)), "FAILED", 256),
        (pod(PodPhase.FAILED, ContainerState("preflight-test", "preflight", exit_code=1)), "FAILED", 1001),
        (pod(PodPhase.FAILED), "FAILED", 4000),
        (pod(PodPhase.FAILED, user(137, reason="OOMKilled")), "FAILED_EVICTED", 3004),
        (pod(PodPhase.FAILED, reason="Evicted"), "FAILED_EVICTED", 3004),
        (pod(PodPhase.FAILED, reason="StartError"), "FAILED_START_ERROR", 3003),
        (pod(PodPhase.FAILED, reason="UnexpectedAdmissionError"), "FAILED_BACKEND_ERROR", 3001),
        (pod(PodPhase.RUNNING, reason="NodeLost"), "FAILED_BACKEND_ERROR", 3001),
        (pod(PodPhase.FAILED, reason="Preempted"), "FAILED_PREEMPTED", 3006),
        (pod(PodPhase.GONE), "FAILED_BACKEND_ERROR", 3001),
        (pod(PodPhase.PENDING, waiting("ErrImagePull")), "FAILED_IMAGE_PULL", 302),
        (pod(PodPhase.PENDING, waiting("ImagePullBackOff")), "FAILED_IMAGE_PULL", 301),
        (pod(PodPhase.RUNNING, waiting("CrashLoopBackOff")), "FAILED", 304),
        (pod(PodPhase.PENDING, waiting("RunContainerError")), "FAILED", 999),
        (pod(PodPhase.INITIALIZING, waiting("CreateContainerConfigError")), "INITIALIZING", None),
        (pod(PodPhase.INITIALIZING, waiting("ContainerCreating")), "INITIALIZING", None),
    ],
)
def test_what_a_look_at_a_pod_means(fact: PodFact, status: str, code: int | None) -> None:
    verdict = judge(fact)
    assert (verdict.status.value, verdict.exit_code) == (status, code)


@pytest.mark.parametrize(
    ("ranges", "inside", "outside"),
    [
        ("1,3-7", [1, 3, 7], [0, 2, 8]),
        ("0-255", [0, 255], [256]),
        (" 5 , 9 - 10 ", [5, 9, 10], [6]),
        ("x,-,3-", [], [3]),
    ],
)
def test_ranges_of_codes(ranges: str, inside: list[int], outside: list[int]) -> None:
    assert all(in_ranges(ranges, code) for code in inside)
    assert not any(in_ranges(ranges, code) for code in outside)


def test_an_action_that_changes_nothing_says_nothing() -> None:
    ending = Ending(TaskStatus.FAILED, 3, "exit", "it broke")
    assert after_exit_actions(ending, [{"FAIL": "3"}], retry_id=0, max_retries=1) is ending
    evicted = Ending(TaskStatus.FAILED_EVICTED, 3004, "evicted", "disk full")
    failed = after_exit_actions(evicted, [{"FAIL": "3004"}], retry_id=0, max_retries=1)
    assert failed.status is TaskStatus.FAILED
    assert failed.message.startswith("disk full Exit action FAIL")


def test_an_eviction_is_no_sigkill_but_out_of_memory_is() -> None:
    actions: list[dict[str, str]] = [{"RESCHEDULE": "137"}]
    evicted = Ending(TaskStatus.FAILED_EVICTED, 3004, "evicted")
    out_of_memory = Ending(TaskStatus.FAILED_EVICTED, 3004, "oom")
    assert after_exit_actions(evicted, actions, retry_id=0, max_retries=1).status is TaskStatus.FAILED_EVICTED
    assert after_exit_actions(out_of_memory, actions, retry_id=0, max_retries=1).status is TaskStatus.RESCHEDULED


def test_the_pause_doubles_up_to_five_minutes() -> None:
    assert [backoff(n).total_seconds() for n in (0, 1, 2, 8, 9, 1000)] == [1, 2, 4, 256, 300, 300]


def test_deadlines_from_events_are_those_from_the_state() -> None:
    life = Life(
        plan(gang("g", task("a"), task("b", lead=False)), exec_timeout_s=50, queue_timeout_s=10, start_timeout_s=5)
    )
    assert [due.kind for due in deadlines(life.state)] == [DeadlineKind.QUEUE]
    assert next_deadline(life.state) == START + timedelta(seconds=10)
    life.place("g")
    life.after(seconds=1)
    armed = deadlines_after(life.state, life.pod("a", PodPhase.INITIALIZING))
    assert [(due.kind, due.name) for due in armed] == [(DeadlineKind.START, "a")]
    life.after(seconds=1)
    armed = deadlines_after(life.state, life.pod("a", PodPhase.RUNNING))
    assert armed == deadlines(life.state)
    assert [due.kind for due in armed] == [DeadlineKind.EXEC]
    assert decide_timeouts(life.state, armed, armed[0].at - timedelta(microseconds=1)) == []


def test_reports_are_taken_once_and_only_of_the_latest_attempt() -> None:
    life = Life(plan(single("a")))
    life.run("a")
    phases = (
        TaskPhase.CONNECTED,
        TaskPhase.DOWNLOADING,
        TaskPhase.DOWNLOADED,
        TaskPhase.EXECUTING,
        TaskPhase.UPLOADING,
    )
    said = [TaskReported("wf-1", "a", 0, phase, START) for phase in phases]
    assert len(decide_reports(life.state, said, START)) == 3
    assert decide_reports(life.state, said, START) == []
    assert decide_reports(life.state, [TaskReported("wf-1", "a", 1, TaskPhase.UPLOADING, START)], START) == []


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_cancel_and_a_timeout_that_were_cut_short_end_as_they_began(cut: int) -> None:
    members = [task("lead"), *(task(f"side-{n}", lead=False) for n in range(4))]
    life = Life(plan(gang("g", *members), single("after", "g"), queue_timeout_s=10))
    before = life.replayed()
    events = life.after(seconds=10).time_out()
    apply_commit(before, Commit[Any]("cut", life.now, "t", events[:cut]))
    decide_start(before, life.now)
    assert before.groups == life.state.groups
    assert before.status is WorkflowStatus.FAILED_QUEUE_TIMEOUT

    life = Life(plan(gang("g", *members), single("after", "g")))
    before = life.replayed()
    events = life.cancel()
    evolve(before, WorkflowCancelRequested("bob", life.now, "no longer needed"))
    apply_commit(before, Commit[Any]("cut", life.now, "t", events[:cut]))
    decide_start(before, life.now)
    decide_cancel(before, life.now)
    assert before.status is WorkflowStatus.FAILED_CANCELED
    assert before.groups["g"].status is TaskStatus.FAILED_CANCELED


def test_a_workflow_whose_plan_is_lost_ends_as_a_server_error() -> None:
    state = evolve(None, WorkflowSubmitted("wf-1", "u", "ann", START, plan_blob="f" * 64))
    assert state is not None
    decide_start(state, START)
    assert state.status is WorkflowStatus.FAILED_SERVER_ERROR


def test_a_rejected_submission_is_over_from_the_start() -> None:
    state = evolve(None, WorkflowRejected("wf-1", "u", "ann", "default", START, "spec.bad", "no", priority="odd"))
    assert state is not None
    assert state.status is WorkflowStatus.FAILED_SUBMISSION
    assert decide_start(state, START) == []


def test_tags_are_added_and_removed_and_unknown_events_pass() -> None:
    commits: list[Commit[Any]] = [
        Commit("1", START, "t", [submitted(plan(single("a")))]),
        Commit("2", START, "t", [WorkflowTagged(START, add=("x", "y"))]),
        Commit("3", START, "t", [WorkflowTagged(START, add=("z", "x"), remove=("y",)), UnknownEvent("new", b"{}")]),
    ]
    state = fold(commits)
    assert state is not None
    assert (state.tags, state.version, state.ignored) == (("x", "z"), 3, 0)
