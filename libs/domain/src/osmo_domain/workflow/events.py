"""What can happen to a workflow. Past tense; tags never change; new fields get defaults; a changed meaning gets a new tag.

`at` is when it happened, as the decider knew it. Events name tasks by name and attempts by `retry_id` (from 0); a view can tell from the
event alone which rows it touches.
"""

from datetime import datetime

from msgspec import Struct, field

from osmo_domain.commit import CommitCodec
from osmo_domain.plan import Plan
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus


class WorkflowSubmitted(Struct, frozen=True, omit_defaults=True, gc=False, tag="workflow.submitted"):
    """The first event. Exactly one of `plan` and `plan_blob` is set in the log; whoever loads fills in `plan` before folding.

    `spec_blob` and `template_blob` are digests of the texts that `workflow spec` shows (redacted).
    """

    workflow_id: str
    uuid: str
    user: str
    at: datetime
    plan: Plan | None = None
    plan_blob: str = ""
    draft_blob: str = ""
    """The plan before its ids were put in, where the user's text held `{{workflow_id}}` or `{{uuid}}`: what runs again gets new ones."""
    spec_blob: str = ""
    template_blob: str = ""
    parent_name: str = ""
    parent_number: int = 0
    app_uuid: str = ""
    app_version: int = 0
    tags: tuple[str, ...] = ()


class WorkflowRejected(Struct, frozen=True, omit_defaults=True, gc=False, tag="workflow.rejected"):
    """A submission that was refused late enough to be remembered: the workflow is FAILED_SUBMISSION from the start."""

    workflow_id: str
    uuid: str
    user: str
    pool: str
    at: datetime
    code: str
    message: str
    priority: str = "NORMAL"
    spec_blob: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    error_code: str = "USER"


class WorkflowCancelRequested(Struct, frozen=True, omit_defaults=True, gc=False, tag="workflow.cancel_requested"):
    user: str
    at: datetime
    message: str = ""
    force: bool = False


class WorkflowTagged(Struct, frozen=True, omit_defaults=True, gc=False, tag="workflow.tagged"):
    at: datetime
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class WorkflowFinished(Struct, frozen=True, omit_defaults=True, gc=False, tag="workflow.finished"):
    status: WorkflowStatus
    at: datetime


class GroupQueued(Struct, frozen=True, omit_defaults=True, gc=False, tag="group.queued"):
    """Every upstream completed: the group and its tasks are PROCESSING in their pool's queue."""

    group: str
    at: datetime


class GroupPlaced(Struct, frozen=True, omit_defaults=True, gc=False, tag="group.placed"):
    """The group has its place and its pods are being created: SCHEDULING. `nodes` maps task to node; `retry_ids` task to attempt.

    After a reschedule only the tasks that go again are named.
    """

    group: str
    at: datetime
    backend: str
    nodes: dict[str, str]
    retry_ids: dict[str, int]
    quota: str = ""
    """`guarantee` or `borrowed`."""


class GroupUnplaced(Struct, frozen=True, omit_defaults=True, gc=False, tag="group.unplaced"):
    """The place was taken back before anything ran; the group is queued again."""

    group: str
    at: datetime
    reason: str


class GroupFinished(Struct, frozen=True, omit_defaults=True, gc=False, tag="group.finished"):
    """Terminal. Its tasks have been finished by events of their own, before this one."""

    group: str
    status: TaskStatus
    at: datetime
    message: str = ""


class TaskInitializing(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.initializing"):
    task: str
    retry_id: int
    at: datetime
    node: str = ""
    ip: str = ""


class TaskDownloading(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.downloading"):
    task: str
    retry_id: int
    at: datetime


class TaskDownloaded(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.downloaded"):
    task: str
    retry_id: int
    at: datetime
    bytes: int = 0
    files: int = 0


class TaskRunning(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.running"):
    """The pod runs (downloads and the barrier may still lie ahead, as in the reference)."""

    task: str
    retry_id: int
    at: datetime
    node: str = ""
    ip: str = ""


class TaskUploading(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.uploading"):
    task: str
    retry_id: int
    at: datetime


class TaskFinished(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.finished"):
    """This attempt is over, and the task with it. `status` is one of GROUP_FINISHED; `reason` is a stable word (`exit`, `evicted` ...)."""

    task: str
    retry_id: int
    status: TaskStatus
    at: datetime
    exit_code: int | None = None
    reason: str = ""
    message: str = ""


class TaskRescheduled(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.rescheduled"):
    """This attempt is over (RESCHEDULED) and attempt `retry_id + 1` is queued, not before `not_before`."""

    task: str
    retry_id: int
    at: datetime
    exit_code: int | None = None
    message: str = ""
    not_before: datetime | None = None


class TaskRestarted(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.restarted"):
    """The command was killed and run again in the same pod, because another task of the gang was rescheduled."""

    task: str
    retry_id: int
    at: datetime
    message: str = ""


class TaskPreempted(Struct, frozen=True, omit_defaults=True, gc=False, tag="task.preempted"):
    """Its place was claimed by `by` (workflow/group); the end of the attempt follows as an event of its own."""

    task: str
    retry_id: int
    at: datetime
    by: str
    why: str = ""


WorkflowEvent = (
    WorkflowSubmitted
    | WorkflowRejected
    | WorkflowCancelRequested
    | WorkflowTagged
    | WorkflowFinished
    | GroupQueued
    | GroupPlaced
    | GroupUnplaced
    | GroupFinished
    | TaskInitializing
    | TaskDownloading
    | TaskDownloaded
    | TaskRunning
    | TaskUploading
    | TaskFinished
    | TaskRescheduled
    | TaskRestarted
    | TaskPreempted
)

WORKFLOW_CODEC: CommitCodec[WorkflowEvent] = CommitCodec(WorkflowEvent)
