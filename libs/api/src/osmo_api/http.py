"""Requests and answers of the HTTP API, as the wire has them: names, nulls and order of keys are the contract.

Datetimes are naive UTC (clients refuse an offset), durations float seconds, absent values null.
"""

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

# --- errors ------------------------------------------------------------------------------------------------------------------


class ErrorAnswer(Struct, frozen=True):
    """A refusal. `message`, `error_code` and `workflow_id` are the reference's; the rest is ours. `code` is stable, never reworded."""

    message: str
    error_code: str
    workflow_id: str | None = None
    code: str = ""
    line: int | None = None
    column: int | None = None
    path: str | None = None
    request_id: str = ""


class ServerErrorAnswer(Struct, frozen=True):
    """Something is wrong with us (status 500) or with what we stand on (503)."""

    message: str
    code: str = "server.error"
    request_id: str = ""


class Problem(Struct, frozen=True):
    """One thing that is wrong with the shape of a request; `loc` says where, e.g. `("query", "limit")`."""

    type: str
    loc: tuple[str | int, ...]
    msg: str
    input: Any = None


class ProblemsAnswer(Struct, frozen=True):
    detail: list[Problem]


class DetailAnswer(Struct, frozen=True):
    detail: str


# --- misc --------------------------------------------------------------------------------------------------------------------


class HealthAnswer(Struct, frozen=True):
    status: str = "OK"


class VersionAnswer(Struct, frozen=True):
    major: str
    minor: str
    revision: str
    hash: str = ""


class TagsAnswer(Struct, frozen=True):
    tags: list[str]


class LoginInfoAnswer(Struct, frozen=True):
    device_endpoint: str | None = None
    device_client_id: str | None = None
    browser_endpoint: str | None = None
    browser_client_id: str | None = None
    token_endpoint: str | None = None
    logout_endpoint: str | None = None


class RsyncPath(Struct, frozen=True):
    path: str
    writable: bool = False


class RsyncPlugin(Struct, frozen=True):
    enabled: bool = False
    enable_telemetry: bool = False
    read_bandwidth_limit: int = 2_621_440
    write_bandwidth_limit: int = 2_621_440
    allowed_paths: dict[str, RsyncPath] = field(default_factory=dict)
    daemon_debounce_delay: float = 30.0
    daemon_poll_interval: float = 120.0
    daemon_reconcile_interval: float = 60.0
    client_upload_rate_limit: int = 2_097_152


class PluginsAnswer(Struct, frozen=True):
    rsync: RsyncPlugin = RsyncPlugin()


# --- pools -------------------------------------------------------------------------------------------------------------------


class GpuQuotaEntry(Struct, frozen=True):
    guarantee: int = -1
    maximum: int = -1
    weight: int = 1


class PoolResources(Struct, frozen=True):
    gpu: GpuQuotaEntry | None = None


class PlatformEntry(Struct, frozen=True):
    description: str = ""
    host_network_allowed: bool = False
    privileged_allowed: bool = False
    allowed_mounts: tuple[str, ...] = ()
    default_mounts: tuple[str, ...] = ()


class TopologyKey(Struct, frozen=True):
    key: str
    label: str


class PoolEntry(Struct, frozen=True):
    """Times are texts such as `5d`, or empty where the installation's value holds."""

    name: str
    description: str
    status: str | None
    download_type: str | None
    enable_maintenance: bool
    backend: str
    default_platform: str | None
    default_exec_timeout: str
    default_queue_timeout: str
    max_exec_timeout: str
    max_queue_timeout: str
    default_exit_actions: dict[str, str]
    resources: PoolResources
    topology_keys: tuple[TopologyKey, ...]
    platforms: dict[str, PlatformEntry]


class PoolsAnswer(Struct, frozen=True):
    pools: dict[str, PoolEntry]


class ResourceUsage(Struct, frozen=True):
    """GPUs, every value a text."""

    quota_used: str
    quota_free: str
    quota_limit: str
    total_usage: str
    total_capacity: str
    total_free: str


class PoolUsageEntry(PoolEntry, frozen=True):
    resource_usage: ResourceUsage


class NodeSetEntry(Struct, frozen=True):
    pools: list[PoolUsageEntry]


class PoolQuotaAnswer(Struct, frozen=True):
    node_sets: list[NodeSetEntry]
    resource_sum: ResourceUsage


# --- resources ---------------------------------------------------------------------------------------------------------------

Fields = dict[str, str]
ByPlatform = dict[str, dict[str, Fields]]
"""Pool to platform to fields."""


class PlatformConfigEntry(Struct, frozen=True):
    host_network: bool
    privileged: bool
    default_mounts: tuple[str, ...]
    allowed_mounts: tuple[str, ...]


class ResourceEntry(Struct, frozen=True):
    hostname: str
    exposed_fields: dict[str, str | list[str]]
    taints: list[dict[str, str]]
    usage_fields: Fields
    allocatable_fields: Fields
    conditions: list[str] | None
    non_workflow_usage_fields: Fields
    platform_allocatable_fields: ByPlatform | None
    platform_available_fields: ByPlatform | None
    platform_workflow_allocatable_fields: ByPlatform | None
    config_fields: dict[str, dict[str, PlatformConfigEntry]] | None
    backend: str
    label_fields: None
    pool_platform_labels: dict[str, list[str]]
    resource_type: str


class ResourcesAnswer(Struct, frozen=True):
    resources: list[ResourceEntry]


class PoolResourcesEntry(Struct, frozen=True):
    pool: str
    platform: str
    status: str
    usage_fields: Fields
    allocatable_fields: Fields
    backend: str


class ConciseResourcesAnswer(Struct, frozen=True):
    pools: list[PoolResourcesEntry]


# --- profile -----------------------------------------------------------------------------------------------------------------


class Profile(Struct, frozen=True):
    username: str | None = None
    email_notification: bool | None = None
    slack_notification: bool | None = None
    pool: str | None = None


class TokenEntry(Struct, frozen=True):
    name: str
    expires_at: str | None = None


class ProfileAnswer(Struct, frozen=True):
    profile: Profile
    roles: list[str]
    pools: list[str]
    token: TokenEntry | None = None


# --- submissions -------------------------------------------------------------------------------------------------------------


class SubmitBody(Struct, frozen=True, forbid_unknown_fields=True):
    file: str
    set_variables: list[str] = []
    set_string_variables: list[str] = []
    uploaded_templated_spec: str | None = None


class SubmitAnswer(Struct, frozen=True):
    """`seq` is ours: the position of the commit in the log, null when nothing was stored."""

    name: str
    overview: str | None = None
    logs: str | None = None
    spec: str | None = None
    dashboard_url: str | None = None
    warnings: tuple[str, ...] = ()
    seq: int | None = None


class CancelAnswer(Struct, frozen=True):
    name: str


# --- workflows ---------------------------------------------------------------------------------------------------------------


class WorkflowListEntry(Struct, frozen=True):
    user: str
    name: str
    workflow_uuid: str
    submit_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    queued_time: float
    duration: float | None
    status: str
    overview: str
    logs: str
    error_logs: str | None
    grafana_url: str | None
    dashboard_url: str | None
    pool: str | None
    app_owner: str | None
    app_name: str | None
    app_version: int | None
    priority: str
    labels: dict[str, str]


class WorkflowListAnswer(Struct, frozen=True):
    workflows: list[WorkflowListEntry]
    more_entries: bool


class TaskEntry(Struct, frozen=True):
    name: str
    retry_id: int
    status: str
    failure_message: str | None
    exit_code: int | None
    logs: str
    error_logs: str | None
    processing_start_time: datetime | None
    scheduling_start_time: datetime | None
    initializing_start_time: datetime | None
    events: str
    start_time: datetime | None
    end_time: datetime | None
    input_download_start_time: datetime | None
    input_download_end_time: datetime | None
    output_upload_start_time: datetime | None
    dashboard_url: str | None
    pod_name: str
    pod_ip: str | None
    task_uuid: str
    node_name: str | None
    lead: bool


EncodedReason = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/Reason"})]
"""A Reason (proto/openapi.json) as the scheduler said it."""


class GroupEntry(Struct, frozen=True):
    name: str
    status: str
    start_time: datetime | None
    end_time: datetime | None
    processing_start_time: datetime | None
    scheduling_start_time: datetime | None
    initializing_start_time: datetime | None
    remaining_upstream_groups: list[str] | None
    downstream_groups: list[str] | None
    failure_message: str | None
    tasks: list[TaskEntry]
    pending_reason: EncodedReason | UnsetType = UNSET
    """Ours: why the group waits, as `WhyGroup.reason`; absent when it does not, or when the scheduler does not answer at once."""


class PluginFlags(Struct, frozen=True):
    rsync: bool = False


class WorkflowAnswer(Struct, frozen=True):
    name: str
    uuid: str
    submitted_by: str
    cancelled_by: str | None
    spec: str
    template_spec: str
    logs: str
    events: str
    overview: str
    parent_name: str | None
    parent_job_id: int | None
    dashboard_url: str | None
    grafana_url: str | None
    tags: tuple[str, ...]
    submit_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    exec_timeout: float | None
    queue_timeout: float | None
    duration: float | None
    queued_time: float
    status: str
    outputs: str
    groups: list[GroupEntry]
    pool: str | None
    backend: str | None
    app_owner: str | None
    app_name: str | None
    app_version: int | None
    plugins: PluginFlags
    priority: str
    labels: dict[str, str]
    warnings: list[str]
    failure_message: str | None = None
    """Ours: why a submission was refused."""


class WhyGroup(Struct, frozen=True):
    """A group that waits. `reason` has a stable `code`, a `message` in words, the numbers behind it, and `changes` that would start it now;
    its shape is that of `Reason` in proto/schemas/scheduler-answer.json."""

    name: str
    status: str
    reason: EncodedReason


class WhyAnswer(Struct, frozen=True):
    """`GET /api/workflow/{id}/why`: the groups that wait, in the order of the plan."""

    name: str
    status: str
    groups: list[WhyGroup]


# --- tasks -------------------------------------------------------------------------------------------------------------------


class TaskListEntry(Struct, frozen=True):
    """`storage` and `memory` are GiB."""

    user: str
    workflow_id: str
    workflow_uuid: str
    task_name: str
    retry_id: int
    pool: str | None
    node: str | None
    start_time: datetime | None
    end_time: datetime | None
    duration: float | None
    status: str
    overview: str
    logs: str
    error_logs: str | None
    grafana_url: str | None
    dashboard_url: str | None
    storage: float
    cpu: int
    memory: float
    gpu: int
    priority: str


class TaskListAnswer(Struct, frozen=True):
    tasks: list[TaskListEntry]


class TaskSummaryEntry(Struct, frozen=True):
    user: str
    pool: str | None
    storage: float
    cpu: int
    memory: float
    gpu: int
    priority: str


class WorkflowTaskSummaryEntry(Struct, frozen=True):
    user: str
    workflow_id: str
    pool: str | None
    storage: float
    cpu: int
    memory: float
    gpu: int
    priority: str


class TaskSummariesAnswer(Struct, frozen=True):
    summaries: list[TaskSummaryEntry]


class WorkflowTaskSummariesAnswer(Struct, frozen=True):
    summaries: list[WorkflowTaskSummaryEntry]


class TaskAnswer(Struct, frozen=True):
    workflow_id: str
    task_name: str
    node: str | None
    start_time: datetime | None
    end_time: datetime | None
    status: str
    storage: float
    cpu: int
    memory: float
    gpu: int
