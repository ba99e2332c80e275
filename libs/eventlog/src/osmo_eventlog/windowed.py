"""The log as an agent has it: it stores its facts and takes its commands by itself, and asks its window about everything else."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

import msgspec

from osmo_domain.errors import Rejected, Stale, Transient
from osmo_eventlog import subjects as s
from osmo_eventlog import window as w
from osmo_eventlog.ports import (
    After,
    Blobs,
    Connection,
    Delivery,
    EventLog,
    LastPerSubject,
    Leases,
    Recorded,
    Requests,
    Seq,
    Snapshots,
    Start,
    WorkQueue,
)
from osmo_eventlog.streams import STREAMS, ConsumerSpec, command_consumer, stream_of

_WITHIN_S: Final = 5.0
_LOOK_EVERY_S: Final = 1.0
_ANSWER: Final[msgspec.msgpack.Decoder[w.Answer]] = msgspec.msgpack.Decoder(w.Answer)


class WindowPane:
    """Asks the window of one backend."""

    def __init__(self, requests: Requests, backend: str) -> None:
        self._requests = requests
        self._subject = s.agent_window(backend)

    async def ask(self, question: w.Question) -> w.Found | w.At | w.Part | w.Kept | w.NoSuchBlob:
        """Raises Transient where nobody answers now, Stale, or Rejected with the reason."""
        data = await self._requests.ask(self._subject, w.ENCODER.encode(question), timeout_s=_WITHIN_S)
        answer = _ANSWER.decode(data)
        if isinstance(answer, w.NotExpected):
            raise Stale(answer.message)
        if isinstance(answer, w.Denied):
            raise Rejected(answer.code, answer.message, http_status=403)
        return answer

    async def records(self, stream: str, question: w.Question) -> tuple[list[Recorded], bool]:
        """What was found, and whether there is more."""
        answer = await self.ask(question)
        if not isinstance(answer, w.Found):
            raise self.unexpected(answer)
        return [Recorded(stream, *one) for one in answer.records], answer.more

    async def position(self, question: w.Question) -> Seq:
        answer = await self.ask(question)
        if not isinstance(answer, w.At):
            raise self.unexpected(answer)
        return answer.seq

    def unexpected(self, answer: w.Answer) -> Transient:
        return Transient(f"{self._subject} answered {type(answer).__name__} to another question")


class WindowedLog:
    """`EventLog`, as far as an agent may. `direct` is its own connection's."""

    def __init__(self, direct: EventLog, pane: WindowPane, consumer: ConsumerSpec) -> None:
        self._direct = direct
        self._pane = pane
        self._consumer = consumer

    async def append(
        self, subject: str, data: bytes, *, message_id: str, expected: Seq | None, across: str | None = None
    ) -> Seq:
        """Of a registration only: nothing else of an agent depends on what stands before it."""
        if expected is None or across is not None:
            raise Rejected("window.not_yours", f"{subject} cannot be appended to in this way.")
        return await self._pane.position(w.Register(data, message_id, expected))

    async def publish(self, subject: str, data: bytes, *, message_id: str) -> Seq:
        return await self._direct.publish(subject, data, message_id=message_id)

    async def load(self, subject: str, *, after: Seq = 0, limit: int | None = None) -> list[Recorded]:
        stream, found, more = stream_of(subject, STREAMS), list[Recorded](), True
        while more and (limit is None or len(found) < limit):
            page, more = await self._pane.records(stream, w.Load(subject, found[-1].seq if found else after))
            found += page
        return found[:limit]

    async def last(self, stream: str, subject: str) -> Recorded | None:
        found, _ = await self._pane.records(stream, w.Last(stream, subject))
        return found[0] if found else None

    async def last_seq(self, stream: str) -> Seq:
        return await self._pane.position(w.Newest(stream))

    async def follow(
        self, stream: str, subjects: Sequence[str], start: Start, *, batch: int = 512
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        """By asking once a second. An agent follows nothing but what it told in earlier lives."""
        (subject,) = subjects
        if not isinstance(start, After | LastPerSubject):
            raise Rejected("window.not_yours", f"{subject} cannot be followed in this way.")
        position = start.seq if isinstance(start, After) else 0
        while True:
            question = w.LastOfEach(stream, subject, position)
            found, more = await self._pane.records(
                stream, question if isinstance(start, LastPerSubject) else w.Load(subject, position)
            )
            for index in range(0, len(found), batch):
                position = found[min(index + batch, len(found)) - 1].seq
                yield found[index : index + batch]
            if not more:
                await asyncio.sleep(_LOOK_EVERY_S)

    def consume(self, stream: str, durable: str) -> AbstractAsyncContextManager[WorkQueue]:
        return self._consuming(stream, durable)

    @asynccontextmanager
    async def _consuming(self, stream: str, durable: str) -> AsyncIterator[WorkQueue]:
        async with self._direct.consume(stream, durable) as queue:
            yield DeclaringQueue(queue, self._pane, w.DeclareConsumer(self._consumer.ack_wait_s))

    async def ensure_consumer(
        self, stream: str, durable: str, subjects: Sequence[str], *, ack_wait_s: float = 30
    ) -> None:
        """Of its own commands only."""
        if (stream, durable) != (self._consumer.stream, self._consumer.durable):
            raise Rejected(
                "window.not_yours", f"{durable} on {stream} ({', '.join(subjects)}) is no consumer of an agent."
            )
        await self._pane.ask(w.DeclareConsumer(ack_wait_s))

    async def purge(self, stream: str, subject: str) -> None:
        raise Rejected("window.not_yours", f"{subject} of {stream} cannot be purged by an agent.")


class DeclaringQueue:
    """A work queue whose durable consumer is declared again where fetching fails: an agent cannot see whether it is still there."""

    def __init__(self, queue: WorkQueue, pane: WindowPane, declaration: w.DeclareConsumer) -> None:
        self._queue = queue
        self._pane = pane
        self._declaration = declaration

    async def fetch(self, limit: int, *, wait_s: float) -> Sequence[Delivery]:
        try:
            return await self._queue.fetch(limit, wait_s=wait_s)
        except Transient:
            with suppress(Transient):
                await self._pane.ask(self._declaration)
            raise


class WindowedSnapshots:
    def __init__(self, pane: WindowPane) -> None:
        self._pane = pane

    async def put(self, name: str, data: bytes) -> None:
        await self._pane.ask(w.KeepSnapshot(name, data))

    async def get(self, name: str) -> bytes | None:
        found, _ = await self._pane.records("", w.KeptSnapshot(name))
        return found[0].data if found else None


class WindowedBlobs:
    """In parts that fit into messages; nothing of a part is fetched or sent twice while it works."""

    def __init__(self, pane: WindowPane) -> None:
        self._pane = pane

    async def put(self, data: bytes) -> str:
        parts = [data[start : start + w.PART_BYTES] for start in range(0, max(len(data), 1), w.PART_BYTES)]
        kept = [await self._kept(w.KeepBlob(part)) for part in parts]
        return kept[0] if len(kept) == 1 else await self._kept(w.JoinBlob(tuple(kept)))

    async def get(self, digest: str) -> bytes:
        found = bytearray()
        while True:
            answer = await self._pane.ask(w.BlobPart(digest, len(found)))
            if isinstance(answer, w.NoSuchBlob):
                raise KeyError(digest)
            if not isinstance(answer, w.Part):
                raise self._pane.unexpected(answer)
            found += answer.data
            if len(found) >= answer.size:
                return bytes(found)

    async def _kept(self, question: w.KeepBlob | w.JoinBlob) -> str:
        answer = await self._pane.ask(question)
        if not isinstance(answer, w.Kept):
            raise self._pane.unexpected(answer)
        return answer.digest


class WindowedConnection:
    """`Connection`, as far as an agent may, over one that is let in as this agent."""

    def __init__(self, direct: Connection, backend: str) -> None:
        pane = WindowPane(direct.requests, backend)
        self._direct = direct
        self.log: EventLog = WindowedLog(direct.log, pane, command_consumer(backend))
        self.snapshots: Snapshots = WindowedSnapshots(pane)
        self.requests: Requests = direct.requests
        self.blobs: Blobs = WindowedBlobs(pane)
        self.leases: Leases = direct.leases

    async def watch(self) -> None:
        await self._direct.watch()
