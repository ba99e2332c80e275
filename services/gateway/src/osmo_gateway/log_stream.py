"""`workflow logs`: what is stored, then what comes, until the workflow (or the attempt) is over and its lines are out.

A reader that is slow is waited for; nothing is buffered for it beyond a few batches. A reader that leaves (cancellation) frees everything.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.errors import Transient
from osmo_domain.logs import LineSource, LogBatch
from osmo_domain.workflow.status import WORKFLOW_FINISHED, TaskStatus
from osmo_eventlog.ports import After, EventLog, Recorded
from osmo_eventlog.subjects import LOGS, logs_of_task, logs_of_workflow, parse_log
from osmo_eventlog.subjects import log as log_subject
from osmo_gateway.arrivals import Watchers
from osmo_gateway.log_lines import LineWriter
from osmo_gateway.pattern.search import Search
from osmo_service.clock import Clock
from osmo_views.ports import WorkflowViews
from osmo_views.rows import WorkflowRow

log = logging.getLogger("osmo.gateway.logs")

Write = Callable[[bytes], Awaitable[None]]

_DECODER: Final = msgspec.json.Decoder(LogBatch)
_AHEAD: Final = 4
"""Batches that wait for a slow reader; the log is asked for no more until they are gone."""

_GRACE_S: Final = 5.0
"""How long after the end lines of an attempt may still arrive whose end marker has not been seen (its pod was killed)."""

_LOOK_AGAIN_S: Final = 30.0


class LogQuery(Struct, frozen=True):
    """Which lines. `last_lines` counts stored lines that match; None is all of them. `sources` None is every source."""

    task: str | None = None
    retry_id: int | None = None
    last_lines: int | None = None
    searches: tuple[Search, ...] = ()
    sources: frozenset[LineSource] | None = None

    def subject(self, workflow_id: str) -> str:
        if self.task is None:
            return logs_of_workflow(workflow_id)
        if self.retry_id is None:
            return logs_of_task(workflow_id, self.task)
        return log_subject(workflow_id, self.task, self.retry_id)


class Over(Struct, frozen=True):
    """The run ended at `at`, and `seq` was the last stored position of its lines when that became known."""

    seq: int
    at: datetime


_Item = Sequence[Recorded] | Over | Exception


class LogStream:
    def __init__(self, event_log: EventLog, views: WorkflowViews, watchers: Watchers, clock: Clock) -> None:
        self._log = event_log
        self._views = views
        self._watchers = watchers
        self._clock = clock

    async def tell(self, workflow: WorkflowRow, query: LogQuery, write: Write) -> None:
        """Write the lines as text, in chunks as they come; returns when all that will come has been written."""
        subject = query.subject(workflow.workflow_id)
        stored = await self._last_seq(subject)
        lines = _Lines(query, stored)
        async with self._feed(workflow, query, subject) as feed:
            await self._write_all(feed, lines, write)

    async def _write_all(self, feed: "asyncio.Queue[_Item]", lines: "_Lines", write: Write) -> None:
        over: Over | None = None
        await _write_lines(write, lines.backlog_if_complete())
        while over is None or lines.seq < over.seq or (lines.open_attempts and self._grace_left(over) > 0):
            item = await self._next(feed, over, lines)
            match item:
                case None:
                    break
                case Over():
                    over = item
                case Exception():
                    raise item
                case _:
                    await _write_lines(write, lines.take(item))
        await _write_lines(write, lines.rest())

    async def _next(self, feed: "asyncio.Queue[_Item]", over: Over | None, lines: "_Lines") -> _Item | None:
        """The next thing that happens; None when the time for it is over."""
        if over is None or lines.seq < over.seq:
            return await feed.get()
        try:
            async with asyncio.timeout(self._grace_left(over)):
                return await feed.get()
        except TimeoutError:
            return None

    def _grace_left(self, over: Over) -> float:
        return _GRACE_S - (self._clock.now() - over.at).total_seconds()

    @asynccontextmanager
    async def _feed(
        self, workflow: WorkflowRow, query: LogQuery, subject: str
    ) -> AsyncIterator["asyncio.Queue[_Item]"]:
        """Stored batches and, once, the end; two readers fill the queue as long as the context is open."""
        feed: asyncio.Queue[_Item] = asyncio.Queue(_AHEAD)
        readers = [
            asyncio.create_task(_report(self._read(subject, feed), feed), name=f"logs.read {subject}"),
            asyncio.create_task(
                _report(self._await_end(workflow, query, subject, feed), feed), name=f"logs.end {subject}"
            ),
        ]
        try:
            yield feed
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    async def _read(self, subject: str, feed: "asyncio.Queue[_Item]") -> None:
        async for batch in self._log.follow(LOGS, [subject], After(0)):
            await feed.put(batch)

    async def _await_end(
        self, workflow: WorkflowRow, query: LogQuery, subject: str, feed: "asyncio.Queue[_Item]"
    ) -> None:
        with self._watchers.watching(workflow.workflow_id) as changed:
            while (ended_at := await self._ended_at(workflow, query)) is None:
                try:
                    async with asyncio.timeout(_LOOK_AGAIN_S):
                        await changed.wait()
                except TimeoutError:
                    continue
                finally:
                    changed.clear()
        await feed.put(Over(await self._last_seq(subject), ended_at))

    async def _ended_at(self, workflow: WorkflowRow, query: LogQuery) -> datetime | None:
        """When what is asked for ended; None while it may still say something."""
        row = await self._views.workflow(workflow.workflow_id)
        if row is None:
            return self._clock.now()
        if row.status in WORKFLOW_FINISHED:
            return row.ended_at or self._clock.now()
        if query.task is None:
            return None
        attempt = await self._views.attempt(workflow.workflow_id, query.task, query.retry_id)
        if attempt is None or (attempt.status is TaskStatus.RESCHEDULED and query.retry_id is None):
            return None
        return attempt.ended_at

    async def _last_seq(self, subject: str) -> int:
        last = await self._log.last(LOGS, subject)
        return last.seq if last else 0


class _Lines:
    """Turns batches into lines, holding back those of the backlog while only the last of them are wanted."""

    def __init__(self, query: LogQuery, stored: int) -> None:
        self._query = query
        self._stored = stored
        self._writers: dict[tuple[str, int], LineWriter] = {}
        self._held: deque[str] | None = None if query.last_lines is None else deque(maxlen=query.last_lines)
        self.seq = 0

    @property
    def open_attempts(self) -> bool:
        """Some attempt has said something and not yet that this was all."""
        return any(not writer.ended for writer in self._writers.values())

    def take(self, batch: Sequence[Recorded]) -> list[str]:
        """The lines that are to be written now."""
        ready: list[str] = []
        for record in batch:
            lines = self._lines_of(record)
            if self._held is not None:
                self._held.extend(lines)
            else:
                ready.extend(lines)
            self.seq = record.seq
            if self.seq >= self._stored:
                ready += self.rest()
        return ready

    def backlog_if_complete(self) -> list[str]:
        """Nothing was stored: from now on every line is wanted."""
        return self.rest() if self._stored == 0 else []

    def rest(self) -> list[str]:
        held, self._held = self._held, None
        return list(held or ())

    def _lines_of(self, record: Recorded) -> Iterable[str]:
        subject = parse_log(record.subject)
        if self._query.retry_id is not None and subject.retry_id != self._query.retry_id:
            return ()
        try:
            batch = _DECODER.decode(record.data)
        except msgspec.DecodeError as error:
            log.error(
                "not a batch of lines: passed over",
                extra={"subject": record.subject, "seq": record.seq, "error": str(error)},
            )
            return ()
        key = (subject.task, subject.retry_id)
        writer = self._writers.get(key)
        if writer is None:
            writer = self._writers[key] = LineWriter(*key, self._query.sources)
        lines = writer.write(batch)
        searches = self._query.searches
        return (line for line in lines if all(search(line) for search in searches)) if searches else lines


async def _report(work: Awaitable[None], feed: "asyncio.Queue[_Item]") -> None:
    """A reader that cannot go on says so to the writer."""
    try:
        await work
    except Transient as error:
        await feed.put(error)


async def _write_lines(write: Write, lines: Sequence[str]) -> None:
    for start in range(0, len(lines), _LINES_PER_WRITE):
        text = "\n".join(lines[start : start + _LINES_PER_WRITE])
        await write(f"{text}\n".encode(errors="replace"))


_LINES_PER_WRITE: Final = 2_000
