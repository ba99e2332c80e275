"""Exit actions: what the user (or the pool) wants done when a task ends with a certain code (reference 2.8)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from osmo_domain.workflow.status import ExitCode, TaskStatus

BACKOFF_FIRST: Final = timedelta(seconds=1)
BACKOFF_MOST: Final = timedelta(minutes=5)
SIGKILLED: Final = 137
OUT_OF_MEMORY: Final = "oom"


class ExitAction(StrEnum):
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    RESCHEDULE = "RESCHEDULE"


STATUS_AFTER: Final = {
    ExitAction.COMPLETE: TaskStatus.COMPLETED,
    ExitAction.FAIL: TaskStatus.FAILED,
    ExitAction.RESCHEDULE: TaskStatus.RESCHEDULED,
}


class Ending(Struct, frozen=True):
    """How an attempt ended: as it was seen, and after exit actions. `reason` is a stable word."""

    status: TaskStatus
    exit_code: int | None = None
    reason: str = ""
    message: str = ""


def after_exit_actions(
    ending: Ending, actions: Sequence[Mapping[str, str]], *, retry_id: int, max_retries: int
) -> Ending:
    """The ending that counts. `actions` are the task's and then the pool's; the first entry that matches decides, and says so.

    RESCHEDULE is not granted to an attempt that is the last one allowed: then the ending stays as it was.
    """
    action = first_match(actions, codes_of(ending))
    if action is None or STATUS_AFTER[action] is ending.status:
        return ending
    if action is ExitAction.RESCHEDULE and retry_id >= max_retries:
        return _saying(ending, ending.status, f"Not rescheduled: the limit of {max_retries} retries is reached.")
    to_what = "" if ending.message else f" to exit code {ending.exit_code}"
    return _saying(ending, STATUS_AFTER[action], f"Exit action {action} applied{to_what}.")


def _saying(ending: Ending, status: TaskStatus, sentence: str) -> Ending:
    message = f"{ending.message} {sentence}".strip()
    return Ending(status=status, exit_code=ending.exit_code, reason=ending.reason, message=message)


def codes_of(ending: Ending) -> tuple[int, ...]:
    """The codes that an entry may name to match. Out of memory is 3004 to us; to its user it is also the SIGKILL that ended it."""
    if ending.exit_code is None:
        return ()
    if ending.exit_code == ExitCode.EVICTED and ending.reason == OUT_OF_MEMORY:
        return (ExitCode.EVICTED, SIGKILLED)
    return (ending.exit_code,)


def first_match(actions: Sequence[Mapping[str, str]], codes: Sequence[int]) -> ExitAction | None:
    for entries in actions:
        for name, ranges in entries.items():
            if name in ExitAction.__members__ and any(in_ranges(ranges, code) for code in codes):
                return ExitAction[name]
    return None


def in_ranges(ranges: str, code: int) -> bool:
    """`1,3-7` holds 1 and 3 to 7. A part that is no range holds nothing (submit refuses those)."""
    return any(_in_range(part, code) for part in ranges.split(","))


def _in_range(part: str, code: int) -> bool:
    first, dash, last = part.strip().partition("-")
    if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
        return False
    return int(first) <= code <= int(last if dash else first)


def backoff(retry_id: int) -> timedelta:
    """How long the attempt after `retry_id` waits: 1 s, then twice as long each time, at most five minutes."""
    return min(BACKOFF_FIRST * (1 << min(retry_id, 16)), BACKOFF_MOST)
