"""What the agent reads of a node's JSON and of pods of others, and what it keeps of them: little, for there may be very many. Pure."""

import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from osmo_domain.cluster import NodeFact, Taint
from osmo_domain.node_conditions import usable
from osmo_kube import Sighting
from osmo_kube.quantities import amount

Quantity = str | int | float
GPU: Final = "nvidia.com/gpu"


class _Metadata(Struct, rename="camel"):
    name: str
    uid: str
    resource_version: str = ""
    labels: dict[str, str] = field(default_factory=dict)


class _Taint(Struct):
    key: str
    value: str = ""
    effect: str = ""


class _NodeSpec(Struct):
    taints: tuple[_Taint, ...] = ()
    unschedulable: bool = False


class _Condition(Struct):
    type: str
    status: str = ""


class _NodeStatus(Struct):
    allocatable: dict[str, Quantity] = field(default_factory=dict)
    conditions: tuple[_Condition, ...] = ()


class _Node(Struct):
    metadata: _Metadata
    spec: _NodeSpec = field(default_factory=_NodeSpec)
    status: _NodeStatus = field(default_factory=_NodeStatus)


class NodeSeen(NamedTuple):
    """`conditions` are those that are true; `statuses` tells of all."""

    name: str
    cpu: float
    gpu: int
    memory_bytes: int
    storage_bytes: int
    labels: dict[str, str]
    taints: tuple[Taint, ...]
    conditions: tuple[str, ...]
    statuses: dict[str, str]
    cordoned: bool


class Amounts(NamedTuple):
    cpu: float = 0
    gpu: float = 0
    memory_bytes: float = 0
    storage_bytes: float = 0

    def plus(self, other: "Amounts", times: int = 1) -> "Amounts":
        return Amounts(*(mine + times * theirs for mine, theirs in zip(self, other, strict=True)))

    def at_least(self, other: "Amounts") -> "Amounts":
        return Amounts(*map(max, self, other))


class OtherPod(NamedTuple):
    """A pod that is not ours: its uid, where it is, and what it requests."""

    uid: str
    node: str
    requests: Amounts


class _Resources(Struct):
    requests: dict[str, Quantity] = field(default_factory=dict)


class _Container(Struct, rename="camel"):
    resources: _Resources = field(default_factory=_Resources)
    restart_policy: str = ""


class _PodSpec(Struct, rename="camel"):
    node_name: str = ""
    containers: tuple[_Container, ...] = ()
    init_containers: tuple[_Container, ...] = ()
    overhead: dict[str, Quantity] = field(default_factory=dict)


class _Pod(Struct):
    metadata: _Metadata
    spec: _PodSpec = field(default_factory=_PodSpec)


_NODE: Final = msgspec.json.Decoder(_Node)
_POD: Final = msgspec.json.Decoder(_Pod)


def read_node(raw: Raw) -> Sighting[NodeSeen]:
    node = _NODE.decode(raw)
    has = _amounts(node.status.allocatable)
    conditions = tuple(sys.intern(each.type) for each in node.status.conditions if each.status == "True")
    seen = NodeSeen(
        name=node.metadata.name,
        cpu=has.cpu,
        gpu=int(has.gpu),
        memory_bytes=int(has.memory_bytes),
        storage_bytes=int(has.storage_bytes),
        labels={sys.intern(key): sys.intern(value) for key, value in node.metadata.labels.items()},
        taints=tuple(Taint(sys.intern(each.key), each.value, each.effect) for each in node.spec.taints),
        conditions=conditions,
        statuses={sys.intern(each.type): sys.intern(each.status) for each in node.status.conditions},
        cordoned=node.spec.unschedulable,
    )
    return Sighting(node.metadata.uid, node.metadata.resource_version, seen)


def read_other_pod(raw: Raw) -> Sighting[OtherPod]:
    pod = _POD.decode(raw)
    seen = OtherPod(pod.metadata.uid, sys.intern(pod.spec.node_name), requests_of(pod.spec))
    return Sighting(pod.metadata.uid, pod.metadata.resource_version, seen)


def requests_of(spec: _PodSpec) -> Amounts:
    """As Kubernetes counts: what runs together, or what the largest init container needs beside the sidecars before it; and the overhead."""
    running = largest = Amounts()
    for each in spec.init_containers:
        own = _amounts(each.resources.requests)
        if each.restart_policy == "Always":
            running = running.plus(own)
            own = Amounts()
        largest = largest.at_least(running.plus(own))
    for each in spec.containers:
        running = running.plus(_amounts(each.resources.requests))
    return running.at_least(largest).plus(_amounts(spec.overhead))


def _amounts(written: dict[str, Quantity]) -> Amounts:
    return Amounts(
        amount(written.get("cpu", 0)),
        amount(written.get(GPU, 0)),
        amount(written.get("memory", 0)),
        amount(written.get("ephemeral-storage", 0)),
    )


def node_fact(node: NodeSeen, used: Amounts, at: Any, rules: Mapping[str, str]) -> NodeFact:
    """`used` is what pods that are not ours request there, `rules` what the backend's configuration says about conditions."""
    return NodeFact(
        name=node.name,
        at=at,
        cpu=int(node.cpu),
        gpu=node.gpu,
        memory_bytes=node.memory_bytes,
        storage_bytes=node.storage_bytes,
        used_cpu=round(used.cpu, 3),
        used_gpu=round(used.gpu),
        used_memory_bytes=round(used.memory_bytes),
        used_storage_bytes=round(used.storage_bytes),
        labels=node.labels,
        taints=node.taints,
        conditions=node.conditions,
        available=not node.cordoned and usable(node.statuses, rules),
    )
