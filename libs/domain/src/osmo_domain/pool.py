"""Where work may run: pools, platforms and backends as configured (not as seen: see cluster.py)."""

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct, field


class Priority(StrEnum):
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"


class GpuQuota(Struct, frozen=True):
    """GPUs; -1 means unlimited."""

    guarantee: int = -1
    maximum: int = -1
    weight: int = 1


class Platform(Struct, frozen=True):
    """A kind of node in a pool: the nodes that carry all `labels` and whose taints are all tolerated."""

    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    host_network_allowed: bool = False
    privileged_allowed: bool = False
    allowed_mounts: tuple[str, ...] = ()
    default_mounts: tuple[str, ...] = ()


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


class Backend(Struct, frozen=True):
    """A registered cluster, as configured."""

    name: str
    description: str = ""


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
    data_url: str = ""
    """Where tasks' outputs are kept for their downstream tasks, e.g. `file:///var/lib/osmo/data`."""
    base_url: str = ""
    """What links in answers start with, e.g. `http://127.0.0.1:8000`."""
    tags: tuple[str, ...] = ()
