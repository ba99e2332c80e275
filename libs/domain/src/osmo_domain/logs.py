"""Log lines as the LOGS stream holds them."""

from enum import StrEnum

from msgspec import Struct


class LineSource(StrEnum):
    STDOUT = "STDOUT"
    STDERR = "STDERR"
    OSMO_CTRL = "OSMO_CTRL"
    DOWNLOAD = "DOWNLOAD"
    UPLOAD = "UPLOAD"


class LogLine(Struct, frozen=True, array_like=True, gc=False):
    """`at_ms` is milliseconds since the epoch, UTC, when the line was written."""

    at_ms: int
    source: LineSource
    text: str


class LogBatch(Struct, frozen=True, omit_defaults=True, tag="log.batch", gc=False):
    """Lines `first` .. `first + len(lines) - 1` of one attempt; positions count from 0 without gaps.

    `end` says that the attempt has no more lines; `dropped` counts lines that were lost to a full buffer before this batch.
    """

    first: int
    lines: tuple[LogLine, ...] = ()
    dropped: int = 0
    end: bool = False
