"""What an agent saw in its cluster: the facts of the CLUSTERS stream.

One writer per backend, so facts of one backend are in order. Every fact may come again: a reader's state decides whether it is news.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

KUBERNETES: Final = "kubernetes"
"""The runtime of backends whose agent makes pods of the configuration's templates."""


class PodPhase(StrEnum):
    PENDING = "PENDING"
    INITIALIZING = "INITIALIZING"
    """Has a node; init containers run or images are being pulled."""
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    GONE = "GONE"
    """No longer there, and no end of it was seen."""


class ContainerState(Struct, frozen=True, omit_defaults=True):
    """One container of a pod. `exit_code` is None while it has not ended; `reason` as Kubernetes names it (`OOMKilled`, `ErrImagePull`)."""

    name: str
    role: str
    """`init`, `ctrl`, `user` or `preflight`."""
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    waiting: bool = False


class PodFact(Struct, frozen=True, omit_defaults=True):
    """One pod as it was seen at `at`. (workflow_uuid, task, retry_id) names the attempt."""

    workflow_id: str
    workflow_uuid: str
    group: str
    task: str
    retry_id: int
    pod_name: str
    phase: PodPhase
    at: datetime
    node: str = ""
    ip: str = ""
    reason: str = ""
    """Pod-level reason: `Evicted`, `Preempted`, `NodeLost`, `UnexpectedAdmissionError` ... or empty."""
    message: str = ""
    containers: tuple[ContainerState, ...] = ()


class PodEvent(Struct, frozen=True, omit_defaults=True):
    """A line for `workflow events`, e.g. a Kubernetes event about the pod."""

    workflow_id: str
    task: str
    retry_id: int
    reason: str
    message: str
    at: datetime


class Taint(Struct, frozen=True, omit_defaults=True):
    key: str
    value: str = ""
    effect: str = ""


class NodeFact(Struct, frozen=True, omit_defaults=True):
    """One node as it was seen. Amounts: whole CPUs and GPUs, bytes. `used_*` is what others than osmo's pods have requested."""

    name: str
    at: datetime
    cpu: int = 0
    gpu: int = 0
    memory_bytes: int = 0
    storage_bytes: int = 0
    used_cpu: float = 0
    used_gpu: int = 0
    used_memory_bytes: int = 0
    used_storage_bytes: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    conditions: tuple[str, ...] = ("Ready",)
    available: bool = True
    gone: bool = False


class PodsSeen(Struct, frozen=True, omit_defaults=True, tag="pods.seen"):
    """Pods that changed, in the order in which they were seen; one message may carry many."""

    pods: tuple[PodFact, ...] = ()
    events: tuple[PodEvent, ...] = ()


class InventorySeen(Struct, frozen=True, omit_defaults=True, tag="inventory.seen"):
    """Every pod of ours that exists in the cluster at `at` (workflow_uuid, task, retry_id): what is missing is gone.

    `commands_seq` is the position in COMMANDS up to which this agent had carried out everything when it looked.
    A list too long for one message has `pods` empty and `pods_blob` set: the digest of its JSON.
    """

    at: datetime
    pods: tuple[tuple[str, str, int], ...] = ()
    commands_seq: int = 0
    pods_blob: str = ""


class NodeSeen(Struct, frozen=True, omit_defaults=True, tag="node.seen"):
    """The whole truth about one node; the last message of its subject is its state."""

    node: NodeFact


class BackendRegistered(Struct, frozen=True, omit_defaults=True, tag="backend.registered"):
    backend: str
    cluster_uid: str
    version: str
    runtime: str
    """`process`, `simulated` or `kubernetes`."""
    at: datetime
    capabilities: tuple[str, ...] = ()
    """What this agent can do beyond what every agent can."""


class BackendRemoved(Struct, frozen=True, omit_defaults=True, tag="backend.removed"):
    """Somebody deleted the backend: nothing of the cluster counts any more, and any cluster may have the name. Told by the gateway."""

    backend: str
    at: datetime


class Heartbeat(Struct, frozen=True, omit_defaults=True, tag="backend.heartbeat"):
    at: datetime


class GroupRefused(Struct, frozen=True, omit_defaults=True, tag="group.refused"):
    """The cluster would not take the group's objects: `message` is the cluster's words."""

    workflow_id: str
    workflow_uuid: str
    group: str
    retry_ids: dict[str, int]
    message: str
    at: datetime


ClusterFact = PodsSeen | InventorySeen | NodeSeen | BackendRegistered | BackendRemoved | Heartbeat | GroupRefused
