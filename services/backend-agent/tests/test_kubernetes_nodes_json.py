"""Nodes, what others use of them, and events: from their JSON to what is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from osmo_agent.kubernetes.events import EventLines, read_event
from osmo_agent.kubernetes.nodes_json import Amounts, node_fact, read_node, read_other_pod
from osmo_agent.kubernetes.templates import rendered, task_variables
from osmo_domain.cluster import PodFact, PodPhase, Taint
from osmo_domain.plan import Resources, TaskPlan

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


def node(*, unschedulable: bool = False, ready: str = "True") -> Raw:
    return raw(
        {
            "metadata": {"name": "n1", "uid": "u", "resourceVersion": "7", "labels": {"zone": "a"}},
            "spec": {
                "unschedulable": unschedulable,
                "taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule", "timeAdded": None}],
            },
            "status": {
                "capacity": {"cpu": "99"},
                "allocatable": {
                    "cpu": "63500m",
                    "memory": "512Gi",
                    "ephemeral-storage": "1000000000",
                    "nvidia.com/gpu": "8",
                    "pods": "110",
                },
                "conditions": [
                    {"type": "MemoryPressure", "status": "False"},
                    {"type": "Ready", "status": ready},
                    {"type": "Extra", "status": "True"},
                ],
            },
        }
    )


def test_a_node_is_what_can_be_allocated_of_it_less_what_others_request() -> None:
    seen = read_node(node())
    assert (seen.uid, seen.version) == ("u", "7")
    fact = node_fact(seen.item, Amounts(1.5, 2, 1 << 30, 10), NOW, {})
    assert (fact.cpu, fact.gpu, fact.memory_bytes, fact.storage_bytes) == (63, 8, 512 << 30, 10**9)
    assert (fact.used_cpu, fact.used_gpu, fact.used_memory_bytes, fact.used_storage_bytes) == (1.5, 2, 1 << 30, 10)
    assert fact.labels == {"zone": "a"}
    assert fact.taints == (Taint("gpu", "yes", "NoSchedule"),)
    assert fact.conditions == ("Ready", "Extra")
    assert fact.available


@pytest.mark.parametrize("seen", [node(unschedulable=True), node(ready="False"), node(ready="Unknown")])
def test_a_node_that_is_cordoned_or_not_ready_is_not_available(seen: Raw) -> None:
    assert not node_fact(read_node(seen).item, Amounts(), NOW, {}).available


def test_the_backends_rules_decide_about_further_conditions() -> None:
    seen = read_node(node()).item
    assert node_fact(seen, Amounts(), NOW, {"Extra": "True", "Memory": "False"}).available
    assert not node_fact(seen, Amounts(), NOW, {"Extra": "False"}).available


def test_requests_are_counted_as_kubernetes_counts_them() -> None:
    def container(cpu: str, **more: str) -> dict[str, Any]:
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "nodeName": "n1",
        "containers": [container("1"), container("500m"), {"name": "asks for nothing"}],
        "initContainers": [container("200m", restartPolicy="Always"), container("3")],
        "overhead": {"cpu": "100m"},
    }
    seen = read_other_pod(raw({"metadata": {"name": "p", "uid": "u"}, "spec": spec})).item
    assert (seen.uid, seen.node) == ("u", "n1")
    assert seen.requests.cpu == pytest.approx(3.3)


def event(reason: str, message: str = "m", uid: str = "e", ago_s: float = 0) -> Raw:
    at = (NOW - timedelta(seconds=ago_s)).isoformat()
    involved = {"kind": "Pod", "uid": "pod-1"}
    return raw(
        {"metadata": {"name": "x", "uid": uid}, "involvedObject": involved, "reason": reason, "message": message, "lastTimestamp": at, "eventTime": None}
    )  # fmt: skip


def test_an_event_is_said_once_however_often_the_cluster_counts_it() -> None:
    pod = PodFact("wf-1", "ab" * 16, "g", "t", 2, "p", PodPhase.PENDING, NOW)
    lines = EventLines({"pod-1": pod}.get)

    def said(*events: Raw) -> list[str]:
        found = [lines.line(read_event(each).item, NOW) for each in events]
        return [f"{line.reason}: {line.message} ({line.task} {line.retry_id})" for line in found if line]

    assert said(event("Pulling"), event("Pulling"), event("Pulling", "n")) == ["Pulling: m (t 2)", "Pulling: n (t 2)"]
    assert said(event("Old", uid="old", ago_s=3600)) == []
    assert said(event("FailedScheduling", uid="f")) == []
    assert EventLines(lambda _: None).line(read_event(event("Pulling")).item, NOW) is None


def test_variables_of_a_task_that_asked_and_of_one_that_did_not() -> None:
    asked = task_variables(
        TaskPlan("T_x", "i", ("c",), resources=Resources(2, 1, 3 << 29, 10 << 30)), {"USER_CPU": 9}, {}
    )
    assert (asked["USER_CPU"], asked["USER_GPU"]) == (2.0, 1)
    assert (asked["USER_MEMORY"], asked["USER_MEMORY_VAL"], asked["USER_MEMORY_UNIT"]) == ("1536Mi", "1536", "Mi")
    assert (asked["USER_MEMORY_Gi"], asked["USER_MEMORY_B"], asked["USER_MEMORY_Ti"]) == (1.5, 3 << 29, 1.5 / 1024)
    assert (asked["USER_STORAGE"], asked["USER_CACHE"]) == ("10Gi", "9Gi")
    assert asked["USER_CONTAINER_NAME"] == "t-x"
    nothing = task_variables(TaskPlan("t", "i", ("c",)), {"USER_CPU": 9, "USER_MEMORY": "1Gi", "MINE": [1]}, {})
    assert (nothing["USER_CPU"], nothing["USER_MEMORY"], nothing["MINE"]) == (9, "1Gi", [1])


def test_labels_become_variables_and_lists_come_out_of_texts() -> None:
    labels = {"osmo.workflow_id": "wf-1", "osmo.task_name": "t", "osmo.backend": "b", "other": "x"}
    variables = task_variables(TaskPlan("t", "i", ("c",), resources=Resources(nodes_excluded=("a", "b"))), {}, labels)
    assert {key for key in variables if key.startswith("WF_")} == {"WF_ID", "WF_TASK_NAME"}
    template = {"{{key}}": ["{{WF_ID}}", 3, {"list": "{{USER_EXCLUDED_NODES}}", "none": "ARRAY:[]"}], "keep": "{ }"}
    assert rendered(template, variables) == {"{{key}}": ["wf-1", 3, {"list": ["a", "b"], "none": []}], "keep": "{ }"}
