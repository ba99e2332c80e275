"""The phases of the task, kept until log-router has stored them. The names are those of osmo_domain.report.TaskPhase."""

import asyncio
from collections import deque
from typing import Literal

from osmo_api.ctrl import ENCODER, Report

Phase = Literal[
    "CONNECTED",
    "DOWNLOADING",
    "DOWNLOADED",
    "AT_BARRIER",
    "EXECUTING",
    "EXECUTED",
    "UPLOADING",
    "UPLOADED",
    "FAILED",
]


class Reports:
    """Owned by one event loop, like the outbox whose connection it shares."""

    def __init__(self) -> None:
        self._kept: deque[Report] = deque()
        self._unsent: deque[Report] = deque()
        self._made = 0
        self.stored = asyncio.Event()
        """Set while log-router has stored every report."""
        self.stored.set()

    def add(
        self,
        phase: Phase,
        at_ms: int,
        *,
        exit_code: int | None = None,
        message: str = "",
        bytes: int = 0,
        files: int = 0,
        restarts: int = 0,
    ) -> None:
        report = Report(self._made, phase, at_ms, exit_code, message, bytes, files, restarts)
        self._made += 1
        self.stored.clear()
        self._kept.append(report)
        self._unsent.append(report)

    def resume(self, next_report: int) -> None:
        """A new connection: everything that is not stored is to be sent again."""
        self.acked(next_report)
        self._unsent = deque(self._kept)

    def next_frame(self) -> bytes | None:
        return ENCODER.encode(self._unsent.popleft()) if self._unsent else None

    def acked(self, next_report: int) -> None:
        while self._kept and self._kept[0].number < next_report:
            self._kept.popleft()
        if not self._kept:
            self.stored.set()
