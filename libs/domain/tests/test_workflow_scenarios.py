"""The walk-throughs of the reference (2.16) and the ends that issue 2 names, each from submission to the end."""

from datetime import timedelta

import pytest
from libs.domain.tests.life import UUID, Life, ctrl, gang, plan, single, task, user

from osmo_domain.cluster import ContainerState, GroupRefused, PodPhase
from osmo_domain.command import CreateGroup, DeleteGroup, RestartTasks
from osmo_domain.workflow.commands import command_id, outstanding_commands
from osmo_domain.workflow.decide import decide_lost, decide_pods, decide_refused, pending_group
from osmo_domain.workflow.events import GroupQueued, TaskFinished, TaskRescheduled, TaskRestarted, WorkflowFinished
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus


def waiting(reason: str, role: str = "user") -> ContainerState:
    return ContainerState(name=role, role=role, reason=reason, waiting=True)


def test_a_serial_success() -> None:
    life = Life(plan(single("produce"), single("consume", "produce")))
    assert life.groups() == {"produce": "PROCESSING", "consume": "WAITING"}
    assert life.state.status is WorkflowStatus.PENDING
    life.place("produce")
    assert life.groups()["produce"] == "SCHEDULING"
    life.pod("produce", PodPhase.INITIALIZING)
    assert life.groups()["produce"] == "INITIALIZING"
    life.after(seconds=1).pod("produce", PodPhase.RUNNING)
    assert (life.groups()["produce"], life.state.status) == ("RUNNING", WorkflowStatus.RUNNING)
    ended = life.after(seconds=5).exit("produce", 0)
    assert [type(event) for event in ended][-1] is GroupQueued
    assert life.groups() == {"produce": "COMPLETED", "consume": "PROCESSING"}
    assert life.state.status is WorkflowStatus.RUNNING, "it stays RUNNING while the second group queues"
    life.run("consume")
    assert isinstance(life.exit("consume", 0)[-1], WorkflowFinished)
    assert life.state.status is WorkflowStatus.COMPLETED
    assert life.state.tasks["produce"].attempt.exit_code == 0


def test_b_upstream_failure_cascades_and_leaves_other_branches_alone() -> None:
    life = Life(plan(single("a"), single("other"), single("b", "a"), single("c", "b")))
    life.run("a", "other")
    life.exit("a", 3)
    assert life.tasks() == {"a": "FAILED", "other": "RUNNING", "b": "FAILED_UPSTREAM", "c": "FAILED_UPSTREAM"}
    assert life.state.tasks["c"].attempt.exit_code == 3000
    assert life.state.tasks["a"].attempt.exit_code == 3
    assert life.state.status is WorkflowStatus.RUNNING
    life.exit("other", 0)
    assert life.state.status is WorkflowStatus.FAILED


def test_c_a_failing_nonlead_is_ignored_but_a_preempted_one_is_not() -> None:
    members = (task("lead"), task("side", lead=False))
    life = Life(plan(gang("g", *members)))
    life.run("lead", "side")
    life.exit("side", 1)
    assert (life.groups()["g"], life.tasks()["side"]) == ("RUNNING", "FAILED")
    life.exit("lead", 0)
    assert life.groups()["g"] == "COMPLETED"

    life = Life(plan(gang("g", *members)))
    life.run("lead", "side")
    life.pod("side", PodPhase.FAILED, reason="Preempted")
    life.exit("lead", 0)
    assert (life.groups()["g"], life.state.status) == ("FAILED_PREEMPTED", WorkflowStatus.FAILED_PREEMPTED)


def test_d_the_lead_ends_and_takes_the_others_with_it() -> None:
    life = Life(plan(gang("g", task("lead"), task("side", lead=False))))
    life.run("lead", "side")
    events = life.exit("lead", 0)
    assert life.tasks() == {"lead": "COMPLETED", "side": "COMPLETED"}
    (delete,) = life.commands(events)
    assert delete.retry_ids == {"lead": 0, "side": 0}


def test_e_an_evicted_lead_evicts_the_group() -> None:
    life = Life(plan(gang("g", task("lead"), task("side", lead=False))))
    life.run("lead", "side")
    life.pod("lead", PodPhase.FAILED, reason="Evicted")
    assert life.tasks() == {"lead": "FAILED_EVICTED", "side": "FAILED"}
    assert life.state.status is WorkflowStatus.FAILED_EVICTED


def test_f_a_rescheduled_nonlead_restarts_the_gang_and_goes_again_in_a_new_pod() -> None:
    side = task("side", lead=False, exit_actions={"RESCHEDULE": "1-10"})
    life = Life(plan(gang("g", task("lead"), side, ignore_nonlead_status=False)))
    life.run("lead", "side")
    events = life.exit("side", 7)
    assert [type(event) for event in events] == [TaskRescheduled, TaskRestarted]
    restart, delete = life.commands(events)
    assert isinstance(restart, RestartTasks)
    assert restart.retry_ids == {"lead": 0}
    assert isinstance(delete, DeleteGroup)
    assert delete.retry_ids == {"side": 0}
    assert life.groups()["g"] == "RUNNING"
    waits = pending_group(life.state, "g", 1)
    assert waits is not None
    assert ([request.task for request in waits.tasks], waits.not_before) == (["side"], life.now + timedelta(seconds=1))
    (create,) = life.commands(life.place("g"))
    assert isinstance(create, CreateGroup)
    assert create.retry_ids == {"side": 1}
    life.run("side")
    life.exit("side", 0)
    life.exit("lead", 0)
    assert life.state.status is WorkflowStatus.COMPLETED
    assert [attempt.status for attempt in life.state.tasks["side"].earlier] == [TaskStatus.RESCHEDULED]


def test_g_cancel_while_queued_and_while_running() -> None:
    life = Life(plan(single("queued"), single("running"), single("later", "queued")))
    life.run("running")
    events = life.cancel()
    assert set(life.tasks().values()) == {"FAILED_CANCELED"}
    assert (life.state.status, life.state.canceled_by) == (WorkflowStatus.FAILED_CANCELED, "bob")
    (delete,) = life.commands(events)
    assert (delete.group_name, delete.force) == ("running", False), "only what was placed has pods to delete"
    assert life.state.tasks["running"].attempt.exit_code is None


def test_a_forced_cancel_of_an_ended_workflow_deletes_its_pods_again() -> None:
    life = Life(plan(single("a")))
    life.run("a")
    life.exit("a", 0)
    life.cancel(force=True)
    assert life.state.status is WorkflowStatus.COMPLETED
    (delete,) = life.commands(life.commits[-1].events)
    assert (delete.retry_ids, delete.force) == ({"a": 0}, True)


def test_h_a_queue_timeout_ends_one_branch() -> None:
    life = Life(plan(single("slow"), single("after", "slow"), single("quick"), queue_timeout_s=60, exec_timeout_s=7200))
    life.run("quick")
    assert life.after(seconds=59).time_out() == []
    life.after(seconds=1).time_out()
    assert life.tasks() == {"slow": "FAILED_QUEUE_TIMEOUT", "after": "FAILED_UPSTREAM", "quick": "RUNNING"}
    assert "1m" in life.state.tasks["slow"].attempt.message
    life.exit("quick", 0)
    assert life.state.status is WorkflowStatus.FAILED_QUEUE_TIMEOUT


def test_an_exec_timeout_runs_from_the_first_running_task_and_is_not_reset() -> None:
    retried = task("a", exit_actions={"RESCHEDULE": "1"})
    life = Life(plan(gang("a", retried), exec_timeout_s=100))
    life.run("a")
    life.after(seconds=60).exit("a", 1)
    life.after(seconds=10).run("a")
    life.after(seconds=30).time_out()
    assert life.state.status is WorkflowStatus.FAILED_EXEC_TIMEOUT
    assert life.state.tasks["a"].attempt.exit_code is None


@pytest.mark.parametrize(("reason", "code"), [("ErrImagePull", 302), ("ImagePullBackOff", 301)])
def test_i_an_image_that_cannot_be_pulled(reason: str, code: int) -> None:
    life = Life(plan(single("a")))
    life.place("a")
    life.pod("a", PodPhase.PENDING, containers=(waiting(reason),))
    assert life.tasks() == {"a": "FAILED_IMAGE_PULL"}
    assert life.state.tasks["a"].attempt.exit_code == code
    assert (life.groups()["a"], life.state.status) == ("FAILED", WorkflowStatus.FAILED)


def test_j_a_start_that_takes_too_long() -> None:
    life = Life(plan(single("a"), start_timeout_s=1800))
    life.place("a")
    life.pod("a", PodPhase.INITIALIZING)
    life.after(minutes=30).time_out()
    assert life.tasks() == {"a": "FAILED_START_TIMEOUT"}
    assert life.state.tasks["a"].attempt.exit_code == 3005
    assert life.state.status is WorkflowStatus.FAILED


@pytest.mark.parametrize("codes", ["137", "3004", "1-255"])
def test_k_out_of_memory_is_3004_and_reschedules_by_137_too(codes: str) -> None:
    life = Life(plan(single("a", exit_actions={"RESCHEDULE": codes})))
    life.run("a")
    life.exit("a", 137, reason="OOMKilled")
    assert life.state.tasks["a"].earlier[0].exit_code == 3004
    assert life.tasks() == {"a": "PROCESSING"}
    life = Life(plan(single("a")))
    life.run("a")
    life.exit("a", 137, reason="OOMKilled")
    assert (life.tasks()["a"], life.state.tasks["a"].attempt.reason) == ("FAILED_EVICTED", "oom")
    assert life.state.status is WorkflowStatus.FAILED_EVICTED


def test_l_a_lost_node_is_a_backend_error() -> None:
    life = Life(plan(single("a")))
    life.run("a")
    life.commit(decide_lost(life.state, [("a", 0)], "Node node-1 is gone.", life.now))
    assert life.tasks() == {"a": "FAILED_BACKEND_ERROR"}
    assert life.state.tasks["a"].attempt.exit_code == 3001
    assert life.groups()["a"] == "FAILED"


def test_m_complete_on_a_failing_code_starts_what_is_downstream() -> None:
    life = Life(plan(single("a", exit_actions={"COMPLETE": "3"}), single("b", "a")))
    life.run("a")
    life.exit("a", 3)
    assert life.tasks() == {"a": "COMPLETED", "b": "PROCESSING"}
    assert life.state.tasks["a"].attempt.exit_code == 3


def test_fail_on_zero_turns_success_into_failure() -> None:
    life = Life(plan(single("a", exit_actions={"FAIL": "0"})))
    life.run("a")
    life.exit("a", 0)
    assert life.state.status is WorkflowStatus.FAILED


def test_n_a_failed_upload_fails_the_task() -> None:
    life = Life(plan(single("a")))
    life.run("a")
    life.pod("a", PodPhase.FAILED, containers=(user(0), ctrl(12, message="upload failed")))
    assert life.tasks() == {"a": "FAILED"}
    assert (life.state.tasks["a"].attempt.exit_code, life.state.message) == (2012, "")
    life = Life(plan(single("a")))
    life.run("a")
    life.pod("a", PodPhase.RUNNING, containers=(user(0), ctrl(12)))
    assert life.state.tasks["a"].attempt.exit_code == 2012, "even while the pod still counts as running"


def test_retries_stop_at_the_limit_and_wait_longer_each_time() -> None:
    life = Life(plan(single("a", exit_actions={"RESCHEDULE": "1"}), max_retry_per_task=2))
    pauses = []
    for _ in range(2):
        life.run("a")
        (event,) = life.exit("a", 1)
        assert isinstance(event, TaskRescheduled)
        assert event.not_before is not None
        pauses.append((event.not_before - event.at).total_seconds())
    life.run("a")
    life.exit("a", 1)
    assert pauses == [1, 2]
    assert life.tasks() == {"a": "FAILED"}
    assert "limit of 2" in life.state.tasks["a"].attempt.message


def test_the_pools_exit_actions_come_after_the_tasks_own() -> None:
    defaults = {"RESCHEDULE": "3006,1-5"}
    life = Life(plan(single("a", exit_actions={"FAIL": "1"}), default_exit_actions=defaults))
    life.run("a")
    life.exit("a", 1)
    assert life.tasks() == {"a": "FAILED"}
    life = Life(plan(single("a"), default_exit_actions=defaults))
    life.run("a")
    life.pod("a", PodPhase.FAILED, reason="Preempted")
    assert life.tasks() == {"a": "PROCESSING"}


def test_a_group_that_the_cluster_refuses() -> None:
    life = Life(plan(single("a"), single("b", "a")))
    life.place("a")
    refused = GroupRefused("wf-1", UUID, "a", {"a": 0}, "no such priority class", life.now)
    life.commit(decide_refused(life.state, refused, life.now))
    assert life.tasks() == {"a": "FAILED_SERVER_ERROR", "b": "FAILED_UPSTREAM"}
    assert life.state.status is WorkflowStatus.FAILED_SERVER_ERROR
    assert decide_refused(life.state, refused, life.now) == []


def test_facts_that_arrive_together_are_one_decision() -> None:
    life = Life(plan(single("a"), single("b", "a")))
    life.place("a")
    facts = [
        life.fact("a", PodPhase.INITIALIZING),
        life.fact("a", PodPhase.RUNNING),
        life.fact("a", PodPhase.SUCCEEDED),
    ]
    events = decide_pods(life.state, facts, life.now)
    assert len([event for event in events if isinstance(event, TaskFinished)]) == 1
    assert life.tasks() == {"a": "COMPLETED", "b": "PROCESSING"}


def test_repeated_late_and_foreign_facts_mean_nothing() -> None:
    life = Life(plan(single("a", exit_actions={"RESCHEDULE": "1"})))
    assert life.pod("a", PodPhase.RUNNING) == [], "not placed yet"
    life.run("a")
    assert life.pod("a", PodPhase.RUNNING) == []
    assert life.pod("a", PodPhase.PENDING) == []
    life.exit("a", 1)
    assert life.pod("a", PodPhase.GONE, retry_id=0) == []
    life.run("a")
    assert life.pod("a", PodPhase.FAILED, retry_id=0) == []
    life.exit("a", 0)
    assert life.pod("a", PodPhase.GONE) == []
    assert life.state.status is WorkflowStatus.COMPLETED


def test_commands_are_derived_again_after_a_crash_with_the_same_ids() -> None:
    life = Life(plan(single("a"), single("b")))
    first = life.commands(life.place("a"))
    life.run("b")
    again = outstanding_commands(life.replayed())
    assert [command_id(command) for command in again] == [command_id(command) for command in first]
    assert command_id(again[0], again="2") != command_id(first[0])


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["FAILED", "FAILED_EVICTED"], "FAILED"),
        (["FAILED_EVICTED", "FAILED_EVICTED"], "FAILED_EVICTED"),
        (["FAILED", "FAILED_QUEUE_TIMEOUT"], "FAILED_QUEUE_TIMEOUT"),
        (["COMPLETED", "COMPLETED"], "COMPLETED"),
        (["COMPLETED", "FAILED_PREEMPTED"], "FAILED_PREEMPTED"),
    ],
)
def test_the_workflows_end_from_its_groups_ends(statuses: list[str], expected: str) -> None:
    life = Life(plan(single("a"), single("b"), queue_timeout_s=1))
    for name, status in zip("ab", statuses, strict=True):
        if status != "FAILED_QUEUE_TIMEOUT":
            life.run(name)
        match status:
            case "COMPLETED":
                life.exit(name, 0)
            case "FAILED":
                life.exit(name, 1)
            case "FAILED_EVICTED":
                life.pod(name, PodPhase.FAILED, reason="Evicted")
            case "FAILED_PREEMPTED":
                life.pod(name, PodPhase.FAILED, reason="Preempted")
            case _:
                life.after(seconds=2).time_out()
    assert life.state.status.value == expected
