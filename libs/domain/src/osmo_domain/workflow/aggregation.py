"""What the statuses of tasks make of their group, and those of groups of their workflow, once all of them have ended (reference 2.4, 2.5)."""

from collections.abc import Collection, Iterable

from osmo_domain.workflow.state import Task, Workflow
from osmo_domain.workflow.status import FAILED, TaskStatus, WorkflowStatus

_OF_ANY_TASK = (TaskStatus.FAILED_UPSTREAM, TaskStatus.FAILED_SERVER_ERROR, TaskStatus.FAILED_PREEMPTED)
"""In this order, and even when the task is not the lead."""

_OF_ANY_GROUP = (
    TaskStatus.FAILED_CANCELED,
    TaskStatus.FAILED_SERVER_ERROR,
    TaskStatus.FAILED_EXEC_TIMEOUT,
    TaskStatus.FAILED_QUEUE_TIMEOUT,
)


def group_status(tasks: Collection[Task], *, ignore_nonlead: bool) -> TaskStatus:
    """The end of a group whose tasks have all ended. With `ignore_nonlead` only the lead counts, but for what hit the whole gang."""
    everyone = {task.status for task in tasks}
    for status in _OF_ANY_TASK:
        if status in everyone:
            return status
    counted = {task.status for task in tasks if task.lead} if ignore_nonlead else everyone
    if TaskStatus.FAILED_EVICTED in counted:
        return TaskStatus.FAILED_EVICTED
    return TaskStatus.FAILED if counted & FAILED else TaskStatus.COMPLETED


def workflow_status(state: Workflow) -> WorkflowStatus:
    """The end of a workflow whose groups have all ended."""
    failed = state.failed_statuses
    for status in _OF_ANY_GROUP:
        if failed.get(status.value):
            return WorkflowStatus(status.value)
    own = _own_failures(failed)
    if not own:
        return WorkflowStatus.COMPLETED
    return WorkflowStatus(own[0]) if len(own) == 1 else WorkflowStatus.FAILED


def _own_failures(failed: Iterable[str]) -> list[str]:
    """Failures that began in their group, rather than upstream of it."""
    return [status for status in failed if status != TaskStatus.FAILED_UPSTREAM.value]
