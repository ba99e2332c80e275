"""Simulated nodes by KWOK, and what the pods on them do.

A pod that is bound to a simulated node is Running at once, and stays so. Annotations on the pod make it end:

- `test.osmo/runs-for: 200ms` (a Go duration): it ends after that, with exit code 0 in every container,
- `test.osmo/exit-code: "3"`: with this code in every container, or
- `test.osmo/exit-code.NAME: "3"`: with this code in the container of that name.

It is Succeeded if all codes are 0, else Failed. `test.osmo/stays: pending` keeps it from starting: a test then writes its status itself.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from tests.cluster.api import Json
from tests.cluster.parts import Part

MARK = "kwok.x-k8s.io/node"
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")

_RUNNING = """
{{ $now := Now }}
{{ $root := . }}
phase: Running
startTime: {{ $now | Quote }}
{{ with NodeIPWith .spec.nodeName }}
hostIP: {{ . | Quote }}
hostIPs: [{ip: {{ . | Quote }}}]
{{ end }}
{{ with PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) }}
podIP: {{ . | Quote }}
podIPs: [{ip: {{ . | Quote }}}]
{{ end }}
conditions:
{{ range $type := list "Initialized" "Ready" "ContainersReady" }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
  {{ if eq ( or .restartPolicy "" ) "Always" }}
  started: true
  state: {running: {startedAt: {{ $now | Quote }}}}
  {{ else }}
  started: false
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}
  {{ end }}
{{ end }}
"""

_ENDED = """
{{ $now := Now }}
{{ $root := . }}
{{ $annotations := or .metadata.annotations dict }}
{{ $all := index $annotations "test.osmo/exit-code" | default "0" }}
{{ $phase := "Succeeded" }}
containerStatuses:
{{ range .spec.containers }}
{{ $code := index $annotations ( printf "test.osmo/exit-code.%s" .name ) | default $all }}
{{ if ne $code "0" }}{{ $phase = "Failed" }}{{ end }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    terminated:
      exitCode: {{ $code }}
      reason: {{ if eq $code "0" }}Completed{{ else }}Error{{ end }}
      startedAt: {{ $root.status.startTime | Quote }}
      finishedAt: {{ $now | Quote }}
{{ end }}
conditions:
{{ range $type := list "Ready" "ContainersReady" }}
- {type: {{ $type }}, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
phase: {{ $phase }}
"""

_NODE_READY = """
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
phase: Running
"""

_ALIVE = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}


def part(programs: Path, directory: Path, kubeconfig: Path) -> Part:
    """KWOK itself. It looks after the nodes that carry its mark, and no others."""
    config = directory / "kwok.yaml"
    config.write_text("\n---\n".join(json.dumps(document) for document in (_OPTIONS, *_STAGES)))
    return Part(
        "kwok",
        [
            str(programs / "kwok"),
            "--kubeconfig",
            str(kubeconfig),
            "--config",
            str(config),
            "--server-address",
            "127.0.0.1:0",
            "--v=WARN",
        ],
        directory / "kwok.log",
    )


def node(
    name: str,
    gpus: int,
    cpus: int = 64,
    memory: str = "512Gi",
    pods: int = 110,
    labels: dict[str, str] | None = None,
    taints: list[Json] | None = None,
) -> Json:
    """A simulated node of this shape, as it is created."""
    resources = {"cpu": str(cpus), "memory": memory, "pods": str(pods), "ephemeral-storage": "1Ti"}
    if gpus:
        resources["nvidia.com/gpu"] = str(gpus)
    return {
        "metadata": {
            "name": name,
            "annotations": {MARK: "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                **(labels or {}),
            },
        },
        "spec": {"taints": taints or []},
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "addresses": [{"type": "Hostname", "address": name}],
            # Ready from the first moment: a thousand nodes are a thousand writes, and KWOK has only their leases to keep.
            "conditions": [
                _condition("Ready", "True", "KubeletReady"),
                *(_condition(kind, "False", "Ok") for kind in _PRESSURES),
            ],
        },
    }


def _condition(kind: str, status: str, reason: str) -> Json:
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": kind, "status": status, "reason": reason, "lastHeartbeatTime": now, "lastTransitionTime": now}


def is_ready(node: Any) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def ready(nodes: Any) -> set[str]:
    """The names of those of a list of nodes that are Ready."""
    return {each["metadata"]["name"] for each in nodes["items"] if is_ready(each)}


def _stage(name: str, kind: str, matches: list[Json], effect: Json, **more: Any) -> Json:
    spec = {"resourceRef": {"apiGroup": "v1", "kind": kind}, "selector": {"matchExpressions": matches}, "next": effect}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {**spec, **more},
    }


_OPTIONS: Json = {
    "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
    "kind": "KwokConfiguration",
    "options": {
        "manageNodesWithAnnotationSelector": f"{MARK}=fake",
        "nodeLeaseDurationSeconds": 40,
        "cidr": "10.0.0.0/8",
        "nodeIP": "10.255.255.254",
        "enablePodsOnNodeSyncStreamWatch": False,
        "podPlayStageParallelism": 32,
        "nodePlayStageParallelism": 16,
    },
}

_STAGES = (
    _stage(
        "node-ready",
        "Node",
        [
            {
                "key": '.status.conditions.[] | select( .type == "Ready" ) | .status',
                "operator": "NotIn",
                "values": ["True"],
            }
        ],
        {"statusTemplate": _NODE_READY},
    ),
    _stage(
        "pod-running",
        "Pod",
        [
            _ALIVE,
            {"key": ".status.phase", "operator": "In", "values": ["Pending"]},
            {"key": '.metadata.annotations["test.osmo/stays"]', "operator": "DoesNotExist"},
        ],
        {"statusTemplate": _RUNNING},
    ),
    _stage(
        "pod-ended",
        "Pod",
        [
            _ALIVE,
            {"key": ".status.phase", "operator": "In", "values": ["Running"]},
            {"key": '.metadata.annotations["test.osmo/runs-for"]', "operator": "Exists"},
        ],
        {"statusTemplate": _ENDED},
        delay={
            "durationMilliseconds": 1000,
            "durationFrom": {"expressionFrom": '.metadata.annotations["test.osmo/runs-for"]'},
        },
    ),
    _stage(
        "pod-deleted",
        "Pod",
        [{"key": ".metadata.deletionTimestamp", "operator": "Exists"}],
        {"delete": True},
    ),
)
