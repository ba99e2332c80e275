"""Pull from a durable consumer (style P6, P8, P19): no more than asked for, nothing lost when a fetch is cancelled, no spinning when it is gone."""

import asyncio
import contextlib
import itertools
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from osmo_domain.errors import Transient
from osmo_eventlog.nats.consumers import Consumers
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.wire import position_of, recorded, status_of
from osmo_eventlog.ports import Delivery, Recorded

log = logging.getLogger("osmo.eventlog.nats")

_ACK = b"+ACK"
_WORKING = b"+WPI"
_IDLE = frozenset({"404", "408"})
_GRACE_S = 1.0
"""How much longer than the server's own limit we wait for its word."""


@dataclass(frozen=True, slots=True)
class NatsDelivery:
    record: Recorded
    _reply: str
    _link: Link

    async def ack(self) -> None:
        await self._say(_ACK)

    async def nak(self, delay_s: float) -> None:
        await self._say(b"-NAK " + json.dumps({"delay": int(delay_s * 1e9)}).encode())

    async def working(self) -> None:
        await self._say(_WORKING)

    async def _say(self, word: bytes) -> None:
        """One way. What gets lost is not noticed here: the message comes again."""
        try:
            await self._link.client.publish(self._reply, word)
        except LIBRARY_ERRORS as error:
            log.info("an acknowledgement was lost", extra={"subject": self.record.subject, "error": repr(error)})


class Pull:
    """One request for messages: over when all came, or when the server said that there are no more."""

    def __init__(self, wanted: int) -> None:
        self._missing = wanted
        self.status = ""
        self.over = asyncio.Event()

    def count(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            self.over.set()

    def end(self, status: str) -> None:
        self.status = status
        self.over.set()


class NatsWorkQueue:
    def __init__(self, link: Link, consumers: Consumers, stream: str, durable: str) -> None:
        self._link = link
        self._consumers = consumers
        self._stream = stream
        self._durable = durable
        self._inbox = link.client.new_inbox()
        self._numbers = itertools.count()
        self._subscription: Subscription | None = None
        self._arrived: deque[NatsDelivery] = deque()
        self._turn = asyncio.Lock()
        self._asked = ""
        self._pull = Pull(0)
        self._lost = asyncio.Event()

    async def fetch(self, limit: int, *, wait_s: float) -> Sequence[Delivery]:
        async with self._turn:
            return await self._fetch(limit, wait_s)

    async def _fetch(self, limit: int, wait_s: float) -> Sequence[Delivery]:
        if not self._arrived:
            await self._link.joined(self._link.deadline_s)
            await self._pull_once(limit, 0)
        if not self._arrived and wait_s > 0:
            await self._pull_once(1, wait_s)
            if self._arrived and limit > 1:
                await self._pull_once(limit - 1, 0)
        return [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    @contextlib.asynccontextmanager
    async def bound(self) -> AsyncIterator["NatsWorkQueue"]:
        try:
            self._subscription = await self._link.client.subscribe(f"{self._inbox}.*", cb=self._on_message)
        except LIBRARY_ERRORS as error:
            raise translate(error, f"consume {self._durable}") from error
        self._link.tell_when_broken(self._lost)
        try:
            yield self
        finally:
            self._link.forget(self._lost)
            await asyncio.shield(asyncio.ensure_future(self._release()))

    async def _pull_once(self, wanted: int, wait_s: float) -> None:
        """Ask for messages and wait until they are there, or the server says that there are none (within `wait_s`)."""
        self._asked = f"{self._inbox}.{next(self._numbers)}"
        pull = self._pull = Pull(wanted)
        await self._send(wanted, wait_s)
        await self._settled(pull, wait_s)
        if pull.status and pull.status not in _IDLE:
            await self._repair(pull.status)

    async def _send(self, wanted: int, wait_s: float) -> None:
        request: dict[str, object] = {"batch": wanted}
        request.update({"expires": int(wait_s * 1e9)} if wait_s > 0 else {"no_wait": True})
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}"
        self._lost.clear()
        try:
            await self._link.client.publish(subject, json.dumps(request).encode(), reply=self._asked)
        except LIBRARY_ERRORS as error:
            raise translate(error, f"fetch from {self._durable}") from error

    async def _settled(self, pull: Pull, wait_s: float) -> None:
        """Returns when the pull is over, when the connection broke (what was asked may never be answered), or when it is time to ask again."""
        waits = [asyncio.ensure_future(pull.over.wait()), asyncio.ensure_future(self._lost.wait())]
        try:
            limit_s = (wait_s if wait_s > 0 else self._link.attempt_s) + _GRACE_S
            await asyncio.wait(waits, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _on_message(self, message: Msg) -> None:
        status = status_of(message)
        if not status:
            # Messages come under their own subjects; what a cancelled pull still brings stays here for the next fetch.
            position = position_of(message.reply)
            record = recorded(self._stream, message, position.seq, position.at_s)
            self._arrived.append(NatsDelivery(record, message.reply, self._link))
            self._pull.count()
        elif message.subject == self._asked and status != "100":
            self._pull.end(status)

    async def _repair(self, status: str) -> None:
        """The consumer did not answer: it is gone (make it again where we know how) or its server is not ready yet."""
        await self._link.pause(4)
        if not await self._consumers.restored(self._stream, self._durable):
            raise Transient(f"{self._stream} has no consumer {self._durable} (status {status})")

    async def _release(self) -> None:
        """Give back at once what was delivered and never fetched."""
        while self._arrived:
            await self._arrived.popleft().nak(0)
        if self._subscription is not None:
            with contextlib.suppress(*LIBRARY_ERRORS):
                await self._subscription.unsubscribe()
