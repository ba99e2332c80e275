"""Statuses and service exit codes, with the reference's spelling, and the classes of status that rules speak of."""

from enum import StrEnum
from typing import Final


class TaskStatus(StrEnum):
    """Shared by tasks and groups (a group is never RESCHEDULED)."""

    SUBMITTING = "SUBMITTING"
    WAITING = "WAITING"
    """Some upstream has not completed."""
    PROCESSING = "PROCESSING"
    """In its pool's queue: ready, without a place."""
    SCHEDULING = "SCHEDULING"
    """Placed; its pods are being created."""
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    RESCHEDULED = "RESCHEDULED"
    FAILED = "FAILED"
    FAILED_CANCELED = "FAILED_CANCELED"
    FAILED_SERVER_ERROR = "FAILED_SERVER_ERROR"
    FAILED_BACKEND_ERROR = "FAILED_BACKEND_ERROR"
    FAILED_EXEC_TIMEOUT = "FAILED_EXEC_TIMEOUT"
    FAILED_QUEUE_TIMEOUT = "FAILED_QUEUE_TIMEOUT"
    FAILED_IMAGE_PULL = "FAILED_IMAGE_PULL"
    FAILED_UPSTREAM = "FAILED_UPSTREAM"
    FAILED_EVICTED = "FAILED_EVICTED"
    FAILED_START_ERROR = "FAILED_START_ERROR"
    FAILED_START_TIMEOUT = "FAILED_START_TIMEOUT"
    FAILED_PREEMPTED = "FAILED_PREEMPTED"


class WorkflowStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    FAILED_SUBMISSION = "FAILED_SUBMISSION"
    FAILED_SERVER_ERROR = "FAILED_SERVER_ERROR"
    FAILED_EXEC_TIMEOUT = "FAILED_EXEC_TIMEOUT"
    FAILED_QUEUE_TIMEOUT = "FAILED_QUEUE_TIMEOUT"
    FAILED_CANCELED = "FAILED_CANCELED"
    FAILED_BACKEND_ERROR = "FAILED_BACKEND_ERROR"
    FAILED_IMAGE_PULL = "FAILED_IMAGE_PULL"
    FAILED_EVICTED = "FAILED_EVICTED"
    FAILED_START_ERROR = "FAILED_START_ERROR"
    FAILED_START_TIMEOUT = "FAILED_START_TIMEOUT"
    FAILED_PREEMPTED = "FAILED_PREEMPTED"


PRESCHEDULING: Final = frozenset({TaskStatus.SUBMITTING, TaskStatus.WAITING, TaskStatus.PROCESSING})
IN_QUEUE: Final = PRESCHEDULING | {TaskStatus.SCHEDULING}
PRERUNNING: Final = IN_QUEUE | {TaskStatus.INITIALIZING}
PLACED: Final = frozenset({TaskStatus.SCHEDULING, TaskStatus.INITIALIZING, TaskStatus.RUNNING})
"""Holds GPUs."""

FAILED: Final = frozenset(status for status in TaskStatus if status.value.startswith("FAILED"))
GROUP_FINISHED: Final = FAILED | {TaskStatus.COMPLETED}
FINISHED: Final = GROUP_FINISHED | {TaskStatus.RESCHEDULED}
CANCELED: Final = frozenset(
    {TaskStatus.FAILED_CANCELED, TaskStatus.FAILED_EXEC_TIMEOUT, TaskStatus.FAILED_QUEUE_TIMEOUT}
)
SERVER_ERRORED: Final = frozenset(
    {
        TaskStatus.FAILED_SERVER_ERROR,
        TaskStatus.FAILED_EVICTED,
        TaskStatus.FAILED_START_ERROR,
        TaskStatus.FAILED_IMAGE_PULL,
    }
)
HAS_ERROR_LOGS: Final = ((FAILED - SERVER_ERRORED - CANCELED) - {TaskStatus.FAILED_UPSTREAM}) | {TaskStatus.RESCHEDULED}

WORKFLOW_ALIVE: Final = frozenset({WorkflowStatus.PENDING, WorkflowStatus.RUNNING, WorkflowStatus.WAITING})
WORKFLOW_FINISHED: Final = frozenset(WorkflowStatus) - WORKFLOW_ALIVE
WORKFLOW_FAILED: Final = WORKFLOW_FINISHED - {WorkflowStatus.COMPLETED}


class ExitCode:
    """Exit codes that the system itself gives. User commands own 0..255; containers add their offsets."""

    UPSTREAM = 3000
    BACKEND_ERROR = 3001
    SERVER_ERROR = 3002
    START_ERROR = 3003
    EVICTED = 3004
    START_TIMEOUT = 3005
    PREEMPTED = 3006
    UNKNOWN = 4000
    IMAGE_PULL_BACK_OFF = 301
    IMAGE_PULL = 302
    CONFIG_ERROR = 303
    CRASH_LOOP = 304
    STATUS_UNKNOWN = 305
    WAITING_OTHER = 999
    INIT_OFFSET = 255
    PREFLIGHT_OFFSET = 1000
    CTRL_OFFSET = 2000
