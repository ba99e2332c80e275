"""`EventLog` on memory streams."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from osmo_domain.errors import Poison, Stale, Transient
from osmo_eventlog.memory.durable import Durable, MemoryWorkQueue
from osmo_eventlog.memory.faults import Operation
from osmo_eventlog.memory.link import Link
from osmo_eventlog.memory.state import ServerState
from osmo_eventlog.memory.stream import MemoryStream
from osmo_eventlog.ports import After, LastPerSubject, OnlyNew, Recorded, Seq, Start, WorkQueue


class MemoryEventLog:
    def __init__(self, state: ServerState, link: Link) -> None:
        self._state = state
        self._link = link

    async def append(
        self, subject: str, data: bytes, *, message_id: str, expected: Seq | None, across: str | None = None
    ) -> Seq:
        return await self._send("append", subject, data, message_id, expected, across)

    async def publish(self, subject: str, data: bytes, *, message_id: str) -> Seq:
        return await self._send("publish", subject, data, message_id, None, None)

    async def load(self, subject: str, *, after: Seq = 0, limit: int | None = None) -> list[Recorded]:
        await self._link.reach("load", subject)
        found = self._state.stream_of(subject).walk(subject, after)[:limit]
        await self._link.answer("load", subject)
        return found

    async def last(self, stream: str, subject: str) -> Recorded | None:
        await self._link.reach("last", subject)
        found = self._state.streams[stream].last(subject)
        await self._link.answer("last", subject)
        return found

    async def last_seq(self, stream: str) -> Seq:
        await self._link.reach("last", stream)
        found = self._state.streams[stream].last_seq
        await self._link.answer("last", stream)
        return found

    async def follow(
        self, stream: str, subjects: Sequence[str], start: Start, *, batch: int = 512
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        log = self._state.streams[stream]
        await self._link.receive("follow", stream)
        first, position = _beginning(log, subjects, start)
        for index in range(0, len(first), batch):
            await self._link.receive("follow", stream)
            yield first[index : index + batch]
        while True:
            found, position = log.scan(subjects, position, batch)
            if found:
                await self._link.receive("follow", stream)
                yield found
                await asyncio.sleep(0)
            else:
                await log.changed(subjects)
                await self._link.receive("follow", stream)

    def consume(self, stream: str, durable: str) -> AbstractAsyncContextManager[WorkQueue]:
        return self._bound(stream, durable)

    async def ensure_consumer(
        self, stream: str, durable: str, subjects: Sequence[str], *, ack_wait_s: float = 30
    ) -> None:
        await self._link.reach("consumer", durable)
        known = self._state.durables.get((stream, durable))
        if known is None:
            self._state.durables[stream, durable] = Durable(self._state.streams[stream], tuple(subjects), ack_wait_s)
        else:
            known.subjects, known.ack_wait_s = tuple(subjects), ack_wait_s
        await self._link.answer("consumer", durable)

    async def purge(self, stream: str, subject: str) -> None:
        await self._link.reach("purge", subject)
        self._state.streams[stream].purge(subject)
        await self._link.answer("purge", subject)

    async def _send(
        self, operation: Operation, subject: str, data: bytes, message_id: str, expected: Seq | None, across: str | None
    ) -> Seq:
        stream = self._state.stream_of(subject)

        def arrive() -> Seq:
            return stream.append(subject, data, message_id, expected, across)

        def stray() -> None:
            with contextlib.suppress(Stale, Transient, Poison):
                arrive()

        for delay_s in self._link.strays(operation, subject):
            asyncio.get_running_loop().call_later(delay_s, stray)
        await self._link.reach(operation, subject)
        seq = arrive()
        await self._link.answer(operation, subject)
        return seq

    @contextlib.asynccontextmanager
    async def _bound(self, stream: str, durable: str) -> AsyncIterator[WorkQueue]:
        known = self._state.durables.get((stream, durable))
        if known is None:
            raise Transient(f"{stream} has no consumer {durable}")
        yield MemoryWorkQueue(known, self._link)


def _beginning(log: MemoryStream, subjects: Sequence[str], start: Start) -> tuple[list[Recorded], Seq]:
    """What a follower gets first, and the position from which it goes on."""
    match start:
        case After(seq=seq):
            return [], seq
        case LastPerSubject():
            return log.last_per_subject(subjects), log.last_seq
        case OnlyNew():
            return [], log.last_seq
