"""Times as the wire has them: naive UTC, and float seconds."""

from datetime import datetime


def wire_time(at: datetime) -> datetime:
    return at.replace(tzinfo=None)


def wire_time_or_none(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=None)


def queued_s(submitted: datetime, started: datetime | None, ended: datetime | None, now: datetime) -> float:
    """From submission to the start; to the end for what never started; to now for what still waits."""
    return max(0.0, ((started or ended or now) - submitted).total_seconds())


def duration_s(started: datetime | None, ended: datetime | None, now: datetime) -> float | None:
    """From the start to the end, or to now; None before the start."""
    return None if started is None else max(0.0, ((ended or now) - started).total_seconds())


def length_text(seconds: float | None) -> str:
    """A length of time as pools show it: `5d`, `90m`, `45s`; empty for None."""
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"
