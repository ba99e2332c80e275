"""A spec as read: one struct per map, its values checked one by one. `source` is the node, for pointing at places in later errors."""

from typing import Any

from msgspec import Struct, field

from osmo_domain.spec.tree import MapNode


class TimeoutSpec(Struct):
    source: MapNode
    exec_timeout: float | None = None
    queue_timeout: float | None = None


class TopologySpec(Struct):
    source: MapNode
    key: str
    group: str = "default"
    requirement_type: str = "required"


class ResourceSpec(Struct):
    """Amounts None where nothing was asked for."""

    source: MapNode
    cpu: int | None = None
    gpu: int | None = None
    memory: int | None = None
    storage: int | None = None
    platform: str = ""
    nodes_excluded: tuple[str, ...] = ()
    topology: tuple[TopologySpec, ...] = ()


class DatasetSpec(Struct):
    source: MapNode
    name: str
    regex: str = ""
    path: str = ""
    metadata: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    localpath: str = ""


class InputSpec(Struct):
    """Exactly one of `task`, `url` and `dataset`. `workflow` is set where the task is one of an earlier workflow.

    In a spec made of a plan (again.py) a dataset has its `task`, too: the one that wrote it.
    """

    source: MapNode
    task: str = ""
    url: str = ""
    dataset: DatasetSpec | None = None
    regex: str = ""
    workflow: str = ""


class OutputSpec(Struct):
    source: MapNode
    url: str = ""
    dataset: DatasetSpec | None = None
    update_dataset: DatasetSpec | None = None
    regex: str = ""


class FileSpec(Struct):
    source: MapNode
    path: str
    contents: str
    base64: bool = False


class KpiSpec(Struct):
    source: MapNode
    index: str
    path: str


class CheckpointSpec(Struct):
    source: MapNode
    path: str
    url: str
    frequency: float
    regex: str = ""


class TaskSpec(Struct):
    source: MapNode
    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    lead: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    files: tuple[FileSpec, ...] = ()
    kpis: tuple[KpiSpec, ...] = ()
    checkpoint: tuple[CheckpointSpec, ...] = ()
    exit_actions: dict[str, str] = field(default_factory=dict)
    volume_mounts: tuple[str, ...] = ()
    privileged: bool = False
    host_network: bool = False
    download_type: str = ""
    cache_size: str = ""
    resource: str = "default"


class GroupSpec(Struct):
    source: MapNode
    name: str
    tasks: tuple[TaskSpec, ...]
    barrier: bool = True
    ignore_nonlead_status: bool = True


class WorkflowSpec(Struct):
    """`groups` holds every task: a plain task stands in a group of its own called `<task>-group`, and `tasks` is empty."""

    source: MapNode
    name: str
    groups: tuple[GroupSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    resources: dict[str, ResourceSpec] | None = None
    timeout: TimeoutSpec | None = None
    labels: dict[str, str] = field(default_factory=dict)
    pool: str = ""
    backend: str = ""
