"""What is known of one workflow: the fold of its events.

States are changed in place by `evolve` only, so that an event costs what it changes and not what exists; whoever needs an older state
folds again or takes `copy()` first. A state read from a snapshot equals the one folded from the beginning.

There are very many of these, and they never hold a cycle: the garbage collector is spared them (gc=False), here, in plans and in events.
"""

from datetime import datetime
from functools import cached_property

import msgspec
from msgspec import Struct, field

from osmo_domain.plan import GroupPlan, Plan, TaskPlan
from osmo_domain.pool import Priority
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus


class Attempt(Struct, omit_defaults=True, gc=False):
    """One try of a task. Times are None until they happen."""

    retry_id: int = 0
    status: TaskStatus = TaskStatus.WAITING
    node: str = ""
    ip: str = ""
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    processing_at: datetime | None = None
    scheduling_at: datetime | None = None
    initializing_at: datetime | None = None
    download_started_at: datetime | None = None
    download_ended_at: datetime | None = None
    started_at: datetime | None = None
    upload_started_at: datetime | None = None
    ended_at: datetime | None = None
    not_before: datetime | None = None
    restarts: int = 0
    restarted_at: datetime | None = None


class Task(Struct, omit_defaults=True, gc=False):
    """`attempt` is the latest; `earlier` holds those that were rescheduled, oldest first."""

    name: str
    group: str
    lead: bool
    attempt: Attempt = field(default_factory=Attempt)
    earlier: list[Attempt] = field(default_factory=list)

    @property
    def status(self) -> TaskStatus:
        return self.attempt.status


class Group(Struct, omit_defaults=True, gc=False):
    name: str
    status: TaskStatus = TaskStatus.WAITING
    remaining_upstreams: set[str] = field(default_factory=set)
    downstreams: tuple[str, ...] = ()
    unfinished: int = 0
    """Tasks whose latest attempt has not ended for good."""
    message: str = ""
    processing_at: datetime | None = None
    scheduling_at: datetime | None = None
    initializing_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Workflow(Struct, dict=True, omit_defaults=True):
    """`version` is the number of commits folded; `unfinished` counts groups, so that no rule walks all of them."""

    workflow_id: str
    uuid: str
    user: str
    submitted_at: datetime
    pool: str
    priority: Priority = Priority.NORMAL
    plan: Plan | None = None
    status: WorkflowStatus = WorkflowStatus.PENDING
    groups: dict[str, Group] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    unfinished: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_requested_by: str = ""
    cancel_message: str = ""
    cancel_forced: bool = False
    canceled_by: str = ""
    message: str = ""
    spec_blob: str = ""
    template_blob: str = ""
    parent_name: str = ""
    parent_number: int = 0
    app_uuid: str = ""
    app_version: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    version: int = 0
    ignored: int = 0
    """Events that made no sense in their state: kept in the log, counted here, never raised."""
    failed_statuses: dict[str, int] = field(default_factory=dict)
    """How many groups ended with each FAILED* status."""

    plan_blob: str = ""
    """Digest of the plan, where the log holds it as a blob: a snapshot may then leave the plan out."""

    def group_plan(self, group: str) -> GroupPlan:
        """The plan of a group of this workflow. KeyError for a name that is none."""
        return self._group_plans[group]

    def task_plan(self, task: str) -> TaskPlan:
        """The plan of a task of this workflow. KeyError for a name that is none."""
        return self._task_plans[task]

    @cached_property
    def _group_plans(self) -> dict[str, GroupPlan]:
        return {group.name: group for group in self.plan.groups} if self.plan else {}

    @cached_property
    def _task_plans(self) -> dict[str, TaskPlan]:
        return {task.name: task for group in self.plan.groups for task in group.tasks} if self.plan else {}

    def copy(self) -> "Workflow":
        """A state that shares nothing that changes with this one."""
        plan, self.plan = self.plan, None
        try:
            twin = msgspec.convert(msgspec.to_builtins(self), Workflow)
        finally:
            self.plan = plan
        twin.plan = plan
        return twin
