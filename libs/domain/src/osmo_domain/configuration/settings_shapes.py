"""The shapes of the WORKFLOW and SERVICE configs: the limits and addresses of the installation. Keys that they do not have are refused."""

from typing import Literal

from msgspec import Struct, field

Credential = dict[str, str]


class WorkflowData(Struct, frozen=True, forbid_unknown_fields=True):
    """Minutes."""

    credential: Credential | None = None
    base_url: str = ""
    websocket_timeout: int = 1440
    data_timeout: int = 10
    download_type: Literal["download"] = "download"


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    credential: Credential | None = None


class WorkflowInfo(Struct, frozen=True, forbid_unknown_fields=True):
    tags: tuple[str, ...] = ()
    max_name_length: int = 64


class BackendImages(Struct, frozen=True, forbid_unknown_fields=True):
    init: str = ""
    client: str = ""
    credential: Credential = field(default_factory=dict)


class SmtpSettings(Struct, frozen=True, forbid_unknown_fields=True):
    host: str = ""
    sender: str = ""
    password: str = ""


class WorkflowAlerts(Struct, frozen=True, forbid_unknown_fields=True):
    slack_token: str = ""
    smtp_settings: SmtpSettings = SmtpSettings()


class CredentialConfig(Struct, frozen=True, forbid_unknown_fields=True):
    disable_registry_validation: tuple[str, ...] = ()
    disable_data_validation: tuple[str, ...] = ()


class UserLimits(Struct, frozen=True, forbid_unknown_fields=True):
    max_num_workflows: int | None = None
    max_num_tasks: int | None = None
    jinja_sandbox_workers: int = 2
    jinja_sandbox_max_time: float = 0.5
    jinja_sandbox_memory_limit: int = 104_857_600


class AllowedPath(Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    writable: bool = False


class RsyncConfig(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = False
    enable_telemetry: bool = False
    read_bandwidth_limit: int = 2_621_440
    write_bandwidth_limit: int = 2_621_440
    allowed_paths: dict[str, AllowedPath] = field(default_factory=dict)
    daemon_debounce_delay: float = 30
    daemon_poll_interval: float = 120
    daemon_reconcile_interval: float = 60
    client_upload_rate_limit: int = 2_097_152


class Plugins(Struct, frozen=True, forbid_unknown_fields=True):
    rsync: RsyncConfig = RsyncConfig()


class LabelPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    allow_list: tuple[str, ...] = ()
    enforcement: Literal["off", "warn", "enforce"] = "off"
    assert_message: str = ""


class LabelsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    policy: tuple[LabelPolicy, ...] = ()
    pod_label_prefix: str = ""


class WorkflowConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`data_url`, `base_url` and `max_spec_bytes` are ours."""

    workflow_data: WorkflowData = WorkflowData()
    workflow_log: Stored = Stored()
    workflow_app: Stored = Stored()
    workflow_info: WorkflowInfo = WorkflowInfo()
    backend_images: BackendImages = BackendImages()
    workflow_alerts: WorkflowAlerts = WorkflowAlerts()
    credential_config: CredentialConfig = CredentialConfig()
    user_workflow_limits: UserLimits = UserLimits()
    plugins_config: Plugins = Plugins()
    labels_config: LabelsConfig = LabelsConfig()
    max_num_tasks: int = 10_000
    max_num_ports_per_task: int = 30
    max_retry_per_task: int = 10
    max_retry_per_job: int = 5
    default_schedule_timeout: float = 30
    default_exec_timeout: str = "60d"
    default_queue_timeout: str = "60d"
    max_exec_timeout: str = "60d"
    max_queue_timeout: str = "60d"
    force_cleanup_delay: str = "1h"
    max_log_lines: int = 10_000
    max_task_log_lines: int = 1000
    max_error_log_lines: int = 100
    max_event_log_lines: int = 100
    task_heartbeat_frequency: str = "10m"
    data_url: str = ""
    base_url: str = ""
    max_spec_bytes: int = 32 * 1024 * 1024


class LoginEndpoints(Struct, frozen=True, forbid_unknown_fields=True):
    device_endpoint: str = ""
    device_client_id: str = ""
    browser_endpoint: str = ""
    browser_client_id: str = ""
    token_endpoint: str = ""
    logout_endpoint: str = ""


class ServiceAuth(Struct, frozen=True, forbid_unknown_fields=True):
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    active_key: str = ""
    issuer: str = "osmo"
    audience: str = "osmo"
    user_roles: tuple[str, ...] = ("osmo-user",)
    ctrl_roles: tuple[str, ...] = ("osmo-user", "osmo-ctrl")
    login_info: LoginEndpoints = LoginEndpoints()
    max_token_duration: str = "365d"  # noqa: S105 - a length of time


class CliConfig(Struct, frozen=True, forbid_unknown_fields=True):
    latest_version: str | None = None
    min_supported_version: str | None = None
    client_install_url: str | None = None


class ServiceConfig(Struct, frozen=True, forbid_unknown_fields=True):
    service_base_url: str = ""
    service_auth: ServiceAuth = ServiceAuth()
    cli_config: CliConfig = CliConfig()
    max_pod_restart_limit: str = "30m"
    agent_queue_size: int = 1024
