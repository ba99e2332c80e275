"""What a task's control container said, as log-router records it on the REPORTS stream."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class TaskPhase(StrEnum):
    CONNECTED = "CONNECTED"
    DOWNLOADING = "DOWNLOADING"
    DOWNLOADED = "DOWNLOADED"
    AT_BARRIER = "AT_BARRIER"
    EXECUTING = "EXECUTING"
    EXECUTED = "EXECUTED"
    """The command ended; `exit_code` is set."""
    UPLOADING = "UPLOADING"
    UPLOADED = "UPLOADED"
    FAILED = "FAILED"
    """The control container gave up; `exit_code` is one of 2010..2040 and `message` says why."""


class TaskReported(Struct, frozen=True, omit_defaults=True, tag="task.reported"):
    workflow_id: str
    task: str
    retry_id: int
    phase: TaskPhase
    at: datetime
    exit_code: int | None = None
    message: str = ""
    bytes: int = 0
    files: int = 0
    restarts: int = 0
    """How often the attempt's command had been restarted in place by then."""
