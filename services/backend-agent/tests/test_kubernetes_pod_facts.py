"""What a pod's JSON means, up to the status and exit code that the reference gives it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from osmo_agent.kubernetes.names import FINALIZER
from osmo_agent.kubernetes.pod_facts import deleted_by_others, ended_at, pod_fact, unschedulable
from osmo_agent.kubernetes.pod_json import POD, Pod
from osmo_domain.cluster import ContainerState, PodFact, PodPhase
from osmo_domain.workflow.pod_status import judge
from osmo_domain.workflow.status import TaskStatus

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def pod(phase: str, node: str = "n1", metadata: dict[str, Any] | None = None, **status: Any) -> Pod:
    made = {
        "metadata": {
            "name": "abcd-ef01",
            "uid": "u-1",
            "labels": {"osmo.workflow_uuid": "ab" * 16, "osmo.retry_id": "3"},
            "annotations": {"osmo.workflow_id": "wf-1", "osmo.group_name": "g", "osmo.task_name": "My_Task"},
            "finalizers": [FINALIZER],
            **(metadata or {}),
        },
        "spec": {"nodeName": node, "containers": [{"name": "ignored"}]},
        "status": {"phase": phase, **status},
    }
    return POD.decode(msgspec.json.encode(made))


def fact(phase: str, node: str = "n1", **status: Any) -> PodFact:
    found = pod_fact(pod(phase, node, **status), NOW)
    assert found is not None
    return found


def ended(name: str, code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"name": name, "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}}}


def waiting(name: str, reason: str, message: str = "") -> dict[str, Any]:
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}}


def running(name: str) -> dict[str, Any]:
    return {"name": name, "state": {"running": {}}}


def verdict(phase: str, **status: Any) -> tuple[TaskStatus, int | None]:
    ending = judge(fact(phase, **status))
    return ending.status, ending.exit_code


def test_names_come_whole_from_annotations_and_the_attempt_from_its_label() -> None:
    assert fact("Running", podIP="10.0.0.1", containerStatuses=[running("my-task")]) == PodFact(
        "wf-1", "ab" * 16, "g", "My_Task", 3, "abcd-ef01", PodPhase.RUNNING, NOW, node="n1", ip="10.0.0.1"
    )


def test_pods_of_others_and_pods_of_unknown_state_are_no_facts() -> None:
    assert pod_fact(pod("Running", metadata={"annotations": {}}), NOW) is None
    assert pod_fact(pod("Unknown"), NOW) is None


@pytest.mark.parametrize(
    ("phase", "node", "means"),
    [
        ("Pending", "", PodPhase.PENDING),
        ("", "", PodPhase.PENDING),
        ("Pending", "n1", PodPhase.INITIALIZING),
        ("Running", "n1", PodPhase.RUNNING),
        ("Succeeded", "n1", PodPhase.SUCCEEDED),
        ("Failed", "n1", PodPhase.FAILED),
    ],
)
def test_phases(phase: str, node: str, means: PodPhase) -> None:
    assert fact(phase, node).phase is means


def test_what_goes_as_it_should_is_not_told_container_by_container() -> None:
    starting = fact(
        "Pending",
        initContainerStatuses=[ended("osmo-init", 0, "Completed")],
        containerStatuses=[waiting("my-task", "ContainerCreating"), waiting("osmo-ctrl", "PodInitializing")],
    )
    assert starting.containers == ()
    assert fact("Running", containerStatuses=[ended("my-task", 0, "Completed"), running("osmo-ctrl")]).containers == ()


def test_an_end_tells_every_container_the_tasks_own_first() -> None:
    told = fact(
        "Failed",
        initContainerStatuses=[ended("osmo-init", 0, "Completed")],
        containerStatuses=[ended("osmo-ctrl", 0, "Completed"), ended("my-task", 3)],
    )
    assert told.containers == (
        ContainerState("my-task", "user", 3, "Error"),
        ContainerState("osmo-ctrl", "ctrl", 0, "Completed"),
        ContainerState("osmo-init", "init", 0, "Completed"),
    )


@pytest.mark.parametrize(
    ("status", "means"),
    [
        ({"containerStatuses": [ended("my-task", 3)]}, (TaskStatus.FAILED, 3)),
        ({"containerStatuses": [ended("my-task", 137, "OOMKilled")]}, (TaskStatus.FAILED_EVICTED, 3004)),
        ({"initContainerStatuses": [ended("osmo-init", 1)]}, (TaskStatus.FAILED, 256)),
        ({"initContainerStatuses": [ended("preflight-test", 1)]}, (TaskStatus.FAILED, 1001)),
        ({"containerStatuses": [ended("my-task", 1), ended("osmo-ctrl", 1)]}, (TaskStatus.FAILED, 2001)),
        (
            {"containerStatuses": [ended("osmo-ctrl", 1, message='{"code": 12, "message": "no bucket"}')]},
            (TaskStatus.FAILED, 2012),
        ),
        ({"reason": "Evicted", "message": "low on disk"}, (TaskStatus.FAILED_EVICTED, 3004)),
        ({"reason": "UnexpectedAdmissionError"}, (TaskStatus.FAILED_BACKEND_ERROR, 3001)),
        ({"reason": "NodeLost"}, (TaskStatus.FAILED_BACKEND_ERROR, 3001)),
        ({"reason": "StartError"}, (TaskStatus.FAILED_START_ERROR, 3003)),
        (
            {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}]},
            (TaskStatus.FAILED_BACKEND_ERROR, 3001),
        ),
        (
            {
                "reason": "Evicted",
                "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}],
            },
            (TaskStatus.FAILED_PREEMPTED, 3006),
        ),
        ({}, (TaskStatus.FAILED, 4000)),
    ],
)
def test_how_a_failed_pod_counts(status: dict[str, Any], means: tuple[TaskStatus, int]) -> None:
    assert verdict("Failed", **status) == means


@pytest.mark.parametrize(
    ("reason", "means"),
    [
        ("ErrImagePull", (TaskStatus.FAILED_IMAGE_PULL, 302)),
        ("ImagePullBackOff", (TaskStatus.FAILED_IMAGE_PULL, 301)),
        ("InvalidImageName", (TaskStatus.FAILED_IMAGE_PULL, 302)),
        ("CrashLoopBackOff", (TaskStatus.FAILED, 304)),
        ("CreateContainerError", (TaskStatus.FAILED, 999)),
        ("CreateContainerConfigError", (TaskStatus.INITIALIZING, None)),
        ("ContainerStatusUnknown", (TaskStatus.INITIALIZING, None)),
    ],
)
def test_how_a_container_that_cannot_start_counts(reason: str, means: tuple[TaskStatus, int | None]) -> None:
    assert verdict("Pending", containerStatuses=[waiting("my-task", reason, "why")]) == means


def test_a_control_container_that_fails_ends_the_task_though_the_pod_runs_on() -> None:
    broken = [running("my-task"), ended("osmo-ctrl", 1, message='{"code": 20, "message": "bad token"}')]
    assert verdict("Running", containerStatuses=broken) == (TaskStatus.FAILED, 2020)


def test_a_pod_that_cannot_be_scheduled_is_a_line_of_events() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    seen = pod("Pending", "", conditions=[condition])
    line = unschedulable(seen, fact("Pending", ""))
    assert line is not None
    assert (line.reason, line.message, line.task, line.retry_id) == ("FailedScheduling", "0/3 nodes", "My_Task", 3)
    assert unschedulable(pod("Pending", ""), fact("Pending", "")) is None


def test_our_own_deletion_is_told_from_that_of_others_by_our_finalizer() -> None:
    going = {"deletionTimestamp": "2026-05-01T12:00:30Z", "deletionGracePeriodSeconds": 30}
    assert deleted_by_others(pod("Running", metadata=going))
    assert not deleted_by_others(pod("Running", metadata={**going, "finalizers": ["other"]}))
    assert not deleted_by_others(pod("Running"))
    killed = pod_fact(pod("Failed", metadata=going, containerStatuses=[ended("my-task", 137)]), NOW)
    assert killed is not None
    assert killed.message == "The pod was deleted by somebody else."
    assert judge(killed).exit_code == 137


def test_an_end_is_timed_by_the_node_unless_its_clock_is_ahead_of_ours() -> None:
    def at(seconds: int) -> datetime:
        finished = (NOW + timedelta(seconds=seconds)).isoformat()
        state = {"terminated": {"exitCode": 0, "finishedAt": finished}}
        return ended_at(pod("Succeeded", containerStatuses=[{"name": "my-task", "state": state}]), NOW)

    assert at(-60) == NOW - timedelta(seconds=60)
    assert at(3600) == NOW
    assert ended_at(pod("Succeeded"), NOW) == NOW
