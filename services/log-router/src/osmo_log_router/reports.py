"""What a control container says of its task, on its way to REPORTS: each report once, named by its number."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from osmo_api.ctrl import Report, ReportAcked
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.report import TaskPhase, TaskReported
from osmo_eventlog import subjects
from osmo_eventlog.ports import EventLog
from osmo_log_router.attempt import Attempt
from osmo_log_router.lines import LATEST_MS
from osmo_log_router.over import Refused
from osmo_service.backoff import until_done
from osmo_service.clock import Clock

log = logging.getLogger("osmo.log_router.reports")

WAITING = 256
MESSAGE_LENGTH = 32 * 1024
PHASES = frozenset(TaskPhase)


class _CommitId(Struct, frozen=True):
    id: str


_ID: msgspec.json.Decoder[_CommitId] = msgspec.json.Decoder(_CommitId)


class ReportStore:
    """`open` first, then `add` from the reader's side while `run` stores."""

    def __init__(
        self,
        log: EventLog,
        attempt: Attempt,
        shard: int,
        clock: Clock,
        rng: random.Random,
        acknowledge: Callable[[ReportAcked], Awaitable[None]],
    ) -> None:
        self._log = log
        self._attempt = attempt
        self._clock = clock
        self._rng = rng
        self._acknowledge = acknowledge
        self._subject = subjects.report(shard, attempt.workflow_id, attempt.task)
        self._prefix = f"{attempt}/report/"
        self._stored = 0
        self._received = 0
        self._waiting: deque[Report] = deque()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    async def open(self) -> int:
        """Look at what is stored; returns the first number that is not."""
        records = await until_done(lambda: self._log.load(self._subject), what=self._subject, rng=self._rng)
        ids = [_ID.decode(record.data).id for record in records]
        ours = [int(each.removeprefix(self._prefix)) for each in ids if each.startswith(self._prefix)]
        self._stored = self._received = max(ours, default=-1) + 1
        return self._stored

    async def add(self, report: Report) -> None:
        """Take a report in; waits while too many wait already. What was received before is passed over.

        Numbers may be skipped: each report says all that it has to say, and those that were acknowledged long ago may be forgotten here.
        """
        if not 0 <= report.at_ms <= LATEST_MS:
            raise Refused("a report's time is no time")
        if report.number < self._received:
            await self._acknowledge(ReportAcked(self._stored))
            return
        self._received = report.number + 1
        self._waiting.append(report)
        self._filled.set()
        while len(self._waiting) > WAITING:
            self._room.clear()
            await self._room.wait()

    async def run(self) -> None:
        """Store and acknowledge for ever."""
        while True:
            await self._filled.wait()
            while self._waiting:
                await self._store(self._waiting.popleft())
                self._room.set()
                await self._acknowledge(ReportAcked(self._stored))
            self._filled.clear()

    async def _store(self, report: Report) -> None:
        if report.phase in PHASES:
            message_id = f"{self._prefix}{report.number}"
            data = encode_commit(self._commit(report, message_id))
            await until_done(
                lambda: self._log.publish(self._subject, data, message_id=message_id),
                what=self._subject,
                rng=self._rng,
            )
        else:
            log.warning(
                "a phase that this release does not know", extra={"attempt": str(self._attempt), "phase": report.phase}
            )
        self._stored = report.number + 1

    def _commit(self, report: Report, message_id: str) -> Commit[TaskReported]:
        reported = TaskReported(
            workflow_id=self._attempt.workflow_id,
            task=self._attempt.task,
            retry_id=self._attempt.retry_id,
            phase=TaskPhase(report.phase),
            at=datetime.fromtimestamp(report.at_ms / 1000, UTC),
            exit_code=report.exit_code,
            message=report.message[:MESSAGE_LENGTH],
            bytes=report.bytes,
            files=report.files,
            restarts=report.restarts,
        )
        return Commit(
            message_id, self._clock.now(), f"task:{self._attempt.workflow_id}/{self._attempt.task}", [reported]
        )
