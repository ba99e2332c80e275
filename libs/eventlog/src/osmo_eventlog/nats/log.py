"""`EventLog` on JetStream: which module keeps which promise."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager

from osmo_eventlog.nats.append import Appending
from osmo_eventlog.nats.consumers import Consumers
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, translate
from osmo_eventlog.nats.following import Following
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.loading import Loading
from osmo_eventlog.nats.stored import StoredMessages
from osmo_eventlog.nats.work_queue import NatsWorkQueue
from osmo_eventlog.ports import Recorded, Seq, Start, WorkQueue


class NatsEventLog:
    def __init__(self, link: Link, appending: Appending, stored: StoredMessages) -> None:
        self._link = link
        self._appending = appending
        self._loading = Loading(link, stored)
        self._following = Following(link, self._loading)
        self._consumers = Consumers(link)

    async def append(
        self, subject: str, data: bytes, *, message_id: str, expected: Seq | None, across: str | None = None
    ) -> Seq:
        return await self._appending.append(subject, data, message_id=message_id, expected=expected, across=across)

    async def load(self, subject: str, *, after: Seq = 0, limit: int | None = None) -> list[Recorded]:
        return await self._loading.load(subject, after=after, limit=limit)

    async def last(self, stream: str, subject: str) -> Recorded | None:
        return await self._loading.last(stream, subject)

    async def last_seq(self, stream: str) -> Seq:
        return await self._loading.last_seq(stream)

    def follow(
        self, stream: str, subjects: Sequence[str], start: Start, *, batch: int = 512
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        return self._following.follow(stream, subjects, start, batch=batch)

    async def publish(self, subject: str, data: bytes, *, message_id: str) -> Seq:
        return await self._appending.append(subject, data, message_id=message_id)

    def consume(self, stream: str, durable: str) -> AbstractAsyncContextManager[WorkQueue]:
        return NatsWorkQueue(self._link, self._consumers, stream, durable).bound()

    async def ensure_consumer(
        self, stream: str, durable: str, subjects: Sequence[str], *, ack_wait_s: float = 30
    ) -> None:
        await self._consumers.ensure(stream, durable, subjects, ack_wait_s=ack_wait_s)

    async def purge(self, stream: str, subject: str) -> None:
        try:
            await self._link.js.purge_stream(stream, subject=subject)
        except LIBRARY_ERRORS as error:
            raise translate(error, f"purge {subject}") from error
