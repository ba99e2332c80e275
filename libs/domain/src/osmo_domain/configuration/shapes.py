"""The shapes of config objects on the wire of the public API, with its names and defaults."""

from typing import Any, Literal

from msgspec import Struct, field

from osmo_domain.pool import GpuQuota, ResourceAssertion, Toleration, TopologyKey

Assertions = list[ResourceAssertion]


class PlatformConfig(Struct, frozen=True):
    """`node_selector` and `node_tolerations` are ours: for clusters without pod templates. They count like those of a template.

    `scales_from_zero` is ours, too: the cluster need have no node of this kind yet.
    """

    description: str = ""
    host_network_allowed: bool = False
    privileged_allowed: bool = False
    allowed_mounts: tuple[str, ...] = ()
    default_variables: dict[str, Any] = field(default_factory=dict)
    resource_validations: tuple[str, ...] = ()
    override_pod_template: tuple[str, ...] = ()
    node_selector: dict[str, str] = field(default_factory=dict)
    node_tolerations: tuple[Toleration, ...] = ()
    node_mounts: tuple[str, ...] = ()
    scales_from_zero: bool = False


class PoolGpu(Struct, frozen=True):
    gpu: GpuQuota | None = None


class PoolConfig(Struct, frozen=True):
    """`max_num_tasks` (of one workflow) and `max_num_workflows` (alive at once) are ours."""

    backend: str
    name: str = ""
    description: str = ""
    download_type: Literal["download"] | None = None
    enable_maintenance: bool = False
    default_platform: str | None = None
    default_exec_timeout: str = ""
    default_queue_timeout: str = ""
    max_exec_timeout: str = ""
    max_queue_timeout: str = ""
    default_exit_actions: dict[str, str] = field(default_factory=dict)
    resources: PoolGpu = PoolGpu()
    topology_keys: tuple[TopologyKey, ...] = ()
    common_default_variables: dict[str, Any] = field(default_factory=dict)
    common_resource_validations: tuple[str, ...] = ()
    common_pod_template: tuple[str, ...] = ()
    common_group_templates: tuple[str, ...] = ()
    platforms: dict[str, PlatformConfig] = field(default_factory=dict)
    max_num_tasks: int | None = None
    max_num_workflows: int | None = None


class SchedulerSettings(Struct, frozen=True):
    scheduler_type: str = "kai"
    scheduler_name: str = "kai-scheduler"
    scheduler_timeout: int = 30


class NodeConditions(Struct, frozen=True):
    rules: dict[str, str] | None = None
    prefix: str = "osmo.nvidia.com/"


class BackendConfig(Struct, frozen=True):
    description: str = ""
    k8s_uid: str = ""
    dashboard_url: str = ""
    grafana_url: str = ""
    router_address: str = ""
    tests: tuple[str, ...] = ()
    scheduler_settings: SchedulerSettings = SchedulerSettings()
    node_conditions: NodeConditions = NodeConditions(rules={"Ready": "True"})


class BackendTest(Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    description: str = ""
    cron_schedule: str = ""
    test_timeout: str = "300s"
    node_conditions: tuple[str, ...] = ()
    common_pod_template: tuple[str, ...] = ()
    parsed_pod_template: dict[str, Any] = field(default_factory=dict)


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    actions: tuple[str, ...]
    effect: Literal["Allow", "Deny"] = "Allow"
    resources: tuple[str, ...] = ()


class Role(Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    description: str = ""
    policies: tuple[Policy, ...] = ()
    immutable: bool = False
    sync_mode: Literal["force", "import", "ignore"] = "import"
    external_roles: tuple[str, ...] | None = None
