"""The lines of one attempt on their way into the log: every line once, in order, whoever else writes them too.

Each batch is appended against the position of the one before it. So when a router was killed, or a connection that everybody gave up still
delivers, a second writer finds out (Stale), looks at what is stored, and goes on behind it. While one append is under way lines
gather for the next: an idle task's line goes out at once, a flood goes out in batches of `BATCH_BYTES`.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from osmo_api.ctrl import Acked, Lines
from osmo_domain.errors import Stale
from osmo_domain.logs import LogBatch, LogLine
from osmo_eventlog import subjects
from osmo_eventlog.ports import EventLog
from osmo_log_router.attempt import Attempt
from osmo_log_router.line_room import LineRoom
from osmo_log_router.over import OutOfStep, Refused
from osmo_service.backoff import until_done

BATCH_BYTES = 256 * 1024
LINE_LENGTH = 64 * 1024
MESSAGE_BYTES = 768 * 1024
"""What one message of the log may hold; text that JSON escapes takes more than it seems to."""

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999: the last time that can be written."""

_ENCODER = msgspec.json.Encoder()
_BATCH: msgspec.json.Decoder[LogBatch] = msgspec.json.Decoder(LogBatch)


class _Chunk(Struct):
    """Consecutive lines. `size` is about how many bytes they take in the log."""

    first: int
    lines: list[LogLine]
    size: int
    dropped: int = 0
    end: bool = False

    @property
    def next_line(self) -> int:
        return self.first + len(self.lines)

    def behind(self, position: int) -> "_Chunk":
        """What is left of it when everything before `position` is stored."""
        known = position - self.first
        if known <= 0:
            return self
        return _Chunk(position, self.lines[known:], self.size, 0, self.end)

    def halves(self) -> tuple["_Chunk", "_Chunk"]:
        middle = len(self.lines) // 2
        front = _Chunk(self.first, self.lines[:middle], 0, self.dropped)
        return front, _Chunk(front.next_line, self.lines[middle:], 0, 0, self.end)


class LineStore:
    """`open` first, then `add` from the reader's side while `run` stores."""

    def __init__(
        self,
        log: EventLog,
        attempt: Attempt,
        rng: random.Random,
        room: LineRoom,
        acknowledge: Callable[[Acked], Awaitable[None]],
    ) -> None:
        self._log = log
        self._attempt = attempt
        self._rng = rng
        self._line_room = room
        self._acknowledge = acknowledge
        self._subject = subjects.log(attempt.workflow_id, attempt.task, attempt.retry_id)
        self._seq = 0
        self._stored = 0
        self._ended = False
        self._received = 0
        self._end_received = False
        self._waiting: deque[_Chunk] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    async def open(self) -> int:
        """Look at what is stored; returns the first position that is not."""
        await self._look()
        self._received, self._end_received = self._stored, self._ended
        return self._stored

    async def add(self, frame: Lines, *, lost_before: bool = False) -> None:
        """Take lines in; waits while too much waits already. What was received before is passed over.

        OutOfStep where positions are missing, unless `lost_before` says that the sender has lost them for good.
        """
        if frame.first < 0:
            raise Refused("positions count from 0")
        if frame.first > self._received and not lost_before:
            raise OutOfStep(f"expected line {self._received}, got {frame.first}")
        chunk = self._chunk(frame)
        news = chunk.behind(self._received) if chunk.next_line > self._received or chunk.end else None
        if self._end_received or news is None:
            await self._acknowledge(Acked(self._stored, self._ended))
            return
        news.dropped += max(0, frame.first - self._received)
        self._received, self._end_received = news.next_line, news.end
        self._waiting.append(news)
        self._waiting_bytes += news.size
        self._filled.set()
        await self._until_room()

    async def run(self) -> None:
        """Store and acknowledge for ever."""
        while True:
            await self._filled.wait()
            while self._waiting:
                await self._store(self._next_chunk())
                self._room.set()
                await self._acknowledge(Acked(self._stored, self._ended))
            self._filled.clear()

    def _chunk(self, frame: Lines) -> _Chunk:
        try:
            lines = msgspec.convert(frame.lines, list[LogLine])
        except msgspec.ValidationError as error:
            raise Refused(f"lines not understood: {error}") from error
        sizes = [len(line.text) for line in lines]
        if max(sizes, default=0) > LINE_LENGTH:
            raise Refused(f"a line is longer than {LINE_LENGTH} characters")
        if not all(0 <= line.at_ms <= LATEST_MS for line in lines):
            raise Refused("a line's time is no time")
        return _Chunk(frame.first, lines, sum(sizes) + 32 * len(lines), frame.dropped, frame.end)

    async def _until_room(self) -> None:
        while self._waiting_bytes > self._line_room.share:
            self._room.clear()
            await self._room.wait()

    def _next_chunk(self) -> _Chunk:
        """As many of the waiting lines as one batch should hold. Where lines were dropped a batch begins."""
        chunk = self._waiting.popleft()
        while self._waiting and not self._waiting[0].dropped:
            if chunk.size + self._waiting[0].size > BATCH_BYTES:
                break
            joined = self._waiting.popleft()
            chunk.lines += joined.lines
            chunk.size += joined.size
            chunk.end = joined.end
        self._waiting_bytes -= chunk.size
        return chunk

    async def _store(self, chunk: _Chunk) -> None:
        """Somebody else may have stored the beginning of it, which every append that is Stale finds out."""
        while not self._is_stored(chunk):
            chunk = chunk.behind(self._stored)
            data = _ENCODER.encode(LogBatch(chunk.first, tuple(chunk.lines), chunk.dropped, chunk.end))
            if len(data) > MESSAGE_BYTES and len(chunk.lines) > 1:
                front, rest = chunk.halves()
                await self._store(front)
                await self._store(rest)
                return
            try:
                await self._append(chunk, data)
            except Stale:
                await self._look()

    def _is_stored(self, chunk: _Chunk) -> bool:
        return self._ended or (chunk.next_line <= self._stored and not chunk.end)

    async def _append(self, chunk: _Chunk, data: bytes) -> None:
        """The id names what the batch holds, so that two writers who cut the same lines differently never share one."""
        message_id = f"{self._attempt}/{chunk.first}-{chunk.next_line}{'-end' if chunk.end else ''}"
        expected = self._seq
        self._seq = await until_done(
            lambda: self._log.append(self._subject, data, message_id=message_id, expected=expected),
            what=self._subject,
            rng=self._rng,
        )
        self._stored, self._ended = chunk.next_line, chunk.end

    async def _look(self) -> None:
        last = await until_done(lambda: self._log.last(subjects.LOGS, self._subject), what=self._subject, rng=self._rng)
        if last is None:
            self._seq, self._stored, self._ended = 0, 0, False
            return
        batch = _BATCH.decode(last.data)
        self._seq, self._stored, self._ended = last.seq, batch.first + len(batch.lines), batch.end
