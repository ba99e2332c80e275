"""Where work may run: pools, platforms and backends as configured (not as seen: see cluster.py)."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from osmo_domain.label_policy import LabelsConfig


class Priority(StrEnum):
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"


class GpuQuota(Struct, frozen=True):
    """GPUs; -1 means unlimited."""

    guarantee: int = -1
    maximum: int = -1
    weight: int = 1


class Toleration(Struct, frozen=True, omit_defaults=True):
    """Lets work onto nodes with a taint, as Kubernetes has it: `Exists` or `Equal`; an empty effect means every effect, and an empty
    key with `Exists` every taint."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, key: str, value: str, effect: str) -> bool:
        if self.effect and self.effect != effect:
            return False
        if self.operator == "Exists":
            return not self.key or self.key == key
        return self.operator == "Equal" and self.key == key and self.value == value


class TopologyKey(Struct, frozen=True):
    """A level of a pool's topology: what specs call it, and the label of nodes that says where in it they are."""

    key: str
    label: str


class ResourceAssertion(Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of a resource validation (spec 4.8); operands and message are templates over `USER_*` and `K8_*`."""

    operator: str
    left_operand: str
    right_operand: str
    assert_message: str


class ControlRequests(Struct, frozen=True, omit_defaults=True):
    """What the control container of each task asks of its node, beside the task: as the platform's template says."""

    cpu: float = 0
    memory_bytes: int = 0
    storage_bytes: int = 0


class Platform(Struct, frozen=True):
    """A kind of node in a pool: the nodes that carry all `labels` and whose taints are all tolerated.

    `variables` and `assertions` are those of the pool and of the platform together, in the order in which they hold.
    """

    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    host_network_allowed: bool = False
    privileged_allowed: bool = False
    allowed_mounts: tuple[str, ...] = ()
    default_mounts: tuple[str, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    variables: dict[str, Any] = field(default_factory=dict)
    assertions: tuple[ResourceAssertion, ...] = ()
    control: ControlRequests = ControlRequests()


class Pool(Struct, frozen=True):
    name: str
    backend: str
    description: str = ""
    enable_maintenance: bool = False
    default_platform: str | None = None
    platforms: dict[str, Platform] = field(default_factory=dict)
    gpu: GpuQuota | None = None
    default_exec_timeout_s: float | None = None
    default_queue_timeout_s: float | None = None
    max_exec_timeout_s: float | None = None
    max_queue_timeout_s: float | None = None
    default_exit_actions: dict[str, str] = field(default_factory=dict)
    topology_keys: tuple[TopologyKey, ...] = ()
    """From the coarsest to the finest."""
    max_num_tasks: int | None = None
    """Of one workflow."""
    max_num_workflows: int | None = None
    """That may be alive in the pool at once."""


class Backend(Struct, frozen=True):
    """A registered cluster, as configured."""

    name: str
    description: str = ""
    dashboard_url: str = ""
    grafana_url: str = ""
    router_address: str = ""
    node_conditions: dict[str, str] = field(default_factory=dict)
    """Pattern of a condition's type to pattern of the status that it must have (spec 4.5); `Ready` must always be `True`."""


class UserLimits(Struct, frozen=True, omit_defaults=True):
    """What one user may have alive at once; None = no limit."""

    max_num_workflows: int | None = None
    max_num_tasks: int | None = None


class WorkflowSettings(Struct, frozen=True):
    """Limits of the installation (the reference's WORKFLOW config); durations in seconds, sizes in bytes."""

    max_num_tasks: int = 10_000
    max_name_length: int = 64
    max_spec_bytes: int = 32 * 1024 * 1024
    max_retry_per_task: int = 10
    default_exec_timeout_s: float = timedelta(days=60).total_seconds()
    default_queue_timeout_s: float = timedelta(days=60).total_seconds()
    max_exec_timeout_s: float = timedelta(days=60).total_seconds()
    max_queue_timeout_s: float = timedelta(days=60).total_seconds()
    start_timeout_s: float = timedelta(minutes=30).total_seconds()
    max_log_lines: int = 10_000
    max_event_log_lines: int = 100
    """What clusters said about one attempt's pod."""
    data_url: str = ""
    """Where tasks' outputs are kept for their downstream tasks, e.g. `file:///var/lib/osmo/data`."""
    base_url: str = ""
    """What links in answers start with, e.g. `http://127.0.0.1:8000`."""
    tags: tuple[str, ...] = ()
    labels_config: LabelsConfig = LabelsConfig()
    user_workflow_limits: UserLimits = UserLimits()
