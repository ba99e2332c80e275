"""What a validated workflow is made of: groups of tasks and their edges, ready to run.

A plan is made once, by submit, from a spec; it never changes and is never rendered again. It is stored as a blob or, when small,
inside `workflow.submitted`. Groups are in an order in which every upstream stands before its downstreams.
"""

from msgspec import Struct, field

from osmo_domain.pool import Priority


class TopologyAsk(Struct, frozen=True, omit_defaults=True, gc=False):
    """At this level of the pool's topology, tasks of one `group` (below the same groups of coarser levels) run in one domain."""

    key: str
    group: str = "default"
    required: bool = True


class Resources(Struct, frozen=True, omit_defaults=True, gc=False):
    """What one task asks of a node. CPUs and GPUs are whole; memory and storage are bytes; 0 = nothing asked."""

    cpu: int = 0
    gpu: int = 0
    memory_bytes: int = 0
    storage_bytes: int = 0
    platform: str = ""
    nodes_excluded: tuple[str, ...] = ()
    topology: tuple[TopologyAsk, ...] = ()


class FilePlan(Struct, frozen=True, omit_defaults=True, gc=False):
    """A file put into the task's file system before it starts."""

    path: str
    contents: str
    base64: bool = False


class DatasetUse(Struct, frozen=True, omit_defaults=True, gc=False):
    """A dataset that is handed on within the workflow, as the spec has it; for running it again."""

    name: str
    regex: str = ""
    path: str = ""


class InputPlan(Struct, frozen=True, omit_defaults=True, gc=False):
    """Data brought to `/osmo/data/input/<index>` before the command starts; `url` is always set, `task` names the producer if any."""

    url: str
    regex: str = ""
    task: str = ""
    workflow: str = ""
    """Id of the earlier workflow, where the producer is not in this one."""
    dataset: DatasetUse | None = None


class OutputPlan(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where the content of `/osmo/data/output` goes when the command has ended."""

    url: str
    regex: str = ""
    intermediate: bool = False
    """True for the copy that feeds downstream tasks rather than a URL that the user wrote."""
    dataset: DatasetUse | None = None


class CheckpointPlan(Struct, frozen=True, omit_defaults=True, gc=False):
    path: str
    url: str
    frequency_s: float
    regex: str = ""


class TaskPlan(Struct, frozen=True, omit_defaults=True, gc=False):
    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    files: tuple[FilePlan, ...] = ()
    inputs: tuple[InputPlan, ...] = ()
    outputs: tuple[OutputPlan, ...] = ()
    checkpoints: tuple[CheckpointPlan, ...] = ()
    credentials: dict[str, str | dict[str, str]] = field(default_factory=dict)
    exit_actions: dict[str, str] = field(default_factory=dict)
    """Action name (COMPLETE, FAIL, RESCHEDULE) to codes (`1,3-7`); the first entry that matches wins."""
    resources: Resources = Resources()
    lead: bool = True
    privileged: bool = False
    host_network: bool = False
    volume_mounts: tuple[str, ...] = ()


class GroupPlan(Struct, frozen=True, omit_defaults=True, gc=False):
    """What starts together. `upstreams` are names of groups of the same plan."""

    name: str
    tasks: tuple[TaskPlan, ...]
    upstreams: tuple[str, ...] = ()
    barrier: bool = True
    ignore_nonlead_status: bool = True

    @property
    def gpus(self) -> int:
        return sum(task.resources.gpu for task in self.tasks)


class Plan(Struct, frozen=True, omit_defaults=True, gc=False):
    """A whole workflow, ready to run. Timeouts are seconds, already clamped to the pool's maximum."""

    name: str
    pool: str
    backend: str
    groups: tuple[GroupPlan, ...]
    priority: Priority = Priority.NORMAL
    exec_timeout_s: float = 0
    queue_timeout_s: float = 0
    start_timeout_s: float = 1800
    max_retry_per_task: int = 10
    default_exit_actions: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
