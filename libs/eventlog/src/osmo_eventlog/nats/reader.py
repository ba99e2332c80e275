"""One ephemeral push consumer on the server and what it delivered: in order, with flow control, and broken rather than wrong.

Why our own, and not the ordered consumer of nats-py: that one heals after two missed heartbeats of 5 s (style P12), repairs itself behind
the reader's back, and reads a third as many messages a second. Here any gap, silence or reconnect breaks the reader, and whoever follows makes
a new one behind the last position that was read.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from osmo_eventlog.nats.cancelling import heeding_cancellation
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.wire import STALLED, position_of, recorded, status_of
from osmo_eventlog.ports import Recorded, Seq

HEARTBEAT_S = 1.0
SILENCE_S = 2.5
"""Without a message or a heartbeat for so long the consumer is taken for dead."""


class Broken(Exception):
    """This reader gives no more: messages may be missing behind what it gave."""


class Reader:
    """Open with `start`, then `take` until it raises Broken; always `close`."""

    def __init__(self, link: Link, stream: str) -> None:
        self._link = link
        self._stream = stream
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._buffer: deque[Recorded] = deque()
        self._news = asyncio.Event()
        self._broken = False
        self._joins = link.joins
        self._received = 0
        self._taken = 0
        self._flow: tuple[str, int] | None = None
        self._heard = True
        self._pending = 0
        self.newest_taken: Seq = 0
        self.waiting = 0
        """How many messages were there for this reader when it started."""

    async def start(self, subjects: Sequence[str], policy: DeliverPolicy, start_seq: Seq | None) -> None:
        """Raises Transient when the server does not make the consumer now."""
        self._link.tell_when_broken(self._news)
        self._joins = self._link.joins
        inbox = self._link.client.new_inbox()
        # Named here and not by the server, so that it can be deleted also when we are cancelled before the server's answer.
        self._consumer = f"reader-{inbox.rpartition('.')[2]}"
        config = ConsumerConfig(
            name=self._consumer,
            deliver_subject=inbox,
            deliver_policy=policy,
            opt_start_seq=start_seq,
            filter_subjects=list(subjects) or None,
            ack_policy=AckPolicy.NONE,
            max_deliver=1,
            flow_control=True,
            idle_heartbeat=HEARTBEAT_S,
            inactive_threshold=5,
            mem_storage=True,
            num_replicas=1,
        )
        try:
            self._subscription = await self._link.client.subscribe(inbox, cb=self._on_message)
            made = await heeding_cancellation(
                self._link.js.add_consumer(self._stream, config, timeout=self._link.attempt_s)
            )
        except LIBRARY_ERRORS as error:
            raise translate(error, f"follow {self._stream}") from error
        self.waiting = made.num_pending or 0
        if not self._received:  # the first messages may have come before this answer, and know better
            self._pending = self.waiting

    async def take(self, limit: int) -> Sequence[Recorded]:
        """What is there, at least one message; waits for it."""
        while not self._buffer:
            await self._wait()
        batch = [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
        self._taken += len(batch)
        self.newest_taken = batch[-1].seq
        await self._answer_flow()
        return batch

    @property
    def exhausted(self) -> bool:
        """Everything that the server held when it sent its newest message has been taken."""
        return self._pending == 0 and not self._buffer

    async def close(self) -> None:
        """Free everything on the server; what cannot be freed now it frees itself within seconds."""
        self._link.forget(self._news)
        with contextlib.suppress(*LIBRARY_ERRORS):
            if self._subscription is not None:
                await self._subscription.unsubscribe()
            if self._consumer and self._link.client.is_connected:
                await self._link.js.delete_consumer(self._stream, self._consumer)

    async def _wait(self) -> None:
        """Returns when there may be something to take; raises Broken when nothing will come."""
        self._news.clear()
        self._check()
        try:
            async with asyncio.timeout(SILENCE_S):
                await self._news.wait()
        except TimeoutError:
            if not self._heard:
                raise Broken(f"{self._stream}: silence for {SILENCE_S} s") from None
        self._heard = False

    def _check(self) -> None:
        if self._broken:
            raise Broken(f"{self._stream}: a gap in what was delivered")
        if self._joins != self._link.joins or not self._link.client.is_connected:
            raise Broken(f"{self._stream}: the connection was lost")

    async def _on_message(self, message: Msg) -> None:
        """For every message of every replay: keep it short."""
        self._heard = True
        if not message.data and status_of(message):
            await self._on_status(message)
            return
        seq, consumer_seq, pending, at_s = position_of(message.reply)
        if consumer_seq == self._received + 1 and not self._broken:
            self._received = consumer_seq
            self._pending = pending
            self._buffer.append(recorded(self._stream, message, seq, at_s))
        else:
            self._broken = True
        self._news.set()

    async def _on_status(self, message: Msg) -> None:
        """Heartbeats, and the server asking how far we are; the answer waits until the reader has taken what is buffered."""
        headers = message.headers or {}
        asked = message.reply or headers.get(STALLED, "")
        if asked:
            self._flow = (asked, self._received)
            await self._answer_flow()
        last_sent = headers.get("Nats-Last-Consumer", "")
        if last_sent and int(last_sent) > self._received:
            self._broken = True
            self._news.set()

    async def _answer_flow(self) -> None:
        if self._flow is None or self._taken < self._flow[1]:
            return
        reply, self._flow = self._flow[0], None
        with contextlib.suppress(*LIBRARY_ERRORS):
            await self._link.client.publish(reply)


@contextlib.asynccontextmanager
async def reading(
    link: Link, stream: str, subjects: Sequence[str], policy: DeliverPolicy, start_seq: Seq | None = None
) -> AsyncIterator[Reader]:
    """A started reader, closed on leaving even when whoever reads is cancelled."""
    reader = Reader(link, stream)
    try:
        await reader.start(subjects, policy, start_seq)
        yield reader
    finally:
        await asyncio.shield(asyncio.ensure_future(reader.close()))
