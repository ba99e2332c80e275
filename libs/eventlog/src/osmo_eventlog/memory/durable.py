"""A durable consumer in memory, and the work queue that a client binds to it. Redelivery goes by the loop's time."""

import asyncio
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from osmo_domain.errors import Transient
from osmo_eventlog.memory.faults import Operation
from osmo_eventlog.memory.link import Link
from osmo_eventlog.memory.stream import MemoryStream
from osmo_eventlog.ports import Delivery, Recorded, Seq
from osmo_eventlog.streams import MAX_ACK_PENDING


class Durable:
    """The server's side: how far was delivered, and what is out until when."""

    def __init__(self, stream: MemoryStream, subjects: tuple[str, ...], ack_wait_s: float) -> None:
        self.stream = stream
        self.subjects = subjects
        self.ack_wait_s = ack_wait_s
        self._position: Seq = 0
        self._out: dict[Seq, float] = {}
        """Position to the loop time at which it comes again."""
        self._due: list[tuple[float, Seq]] = []

    def take(self, limit: int, now: float) -> list[Recorded]:
        """What may be delivered now: what came back first, then what is new, each until its ack wait is over."""
        taken = self._take_back(limit, now)
        room = min(limit - len(taken), MAX_ACK_PENDING - len(self._out))
        if room > 0:
            fresh, self._position = self.stream.scan(self.subjects, self._position, room)
            taken += fresh
        for record in taken:
            self.put_off(record.seq, now + self.ack_wait_s)
        return taken

    def next_due(self) -> float | None:
        """When something that is out comes again, if nothing is said of it until then."""
        while self._due and self._out.get(self._due[0][1]) != self._due[0][0]:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def put_off(self, seq: Seq, due: float) -> None:
        self._out[seq] = due
        heapq.heappush(self._due, (due, seq))

    def is_out(self, seq: Seq) -> bool:
        return seq in self._out

    def done(self, seq: Seq) -> None:
        if self._out.pop(seq, None) is not None and self.stream.spec.work_queue:
            self.stream.remove(seq)

    def _take_back(self, limit: int, now: float) -> list[Recorded]:
        back: list[Recorded] = []
        while len(back) < limit:
            due = self.next_due()
            if due is None or due > now:
                return back
            _, seq = heapq.heappop(self._due)
            del self._out[seq]
            record = self.stream.get(seq)
            if record is not None:
                back.append(record)
        return back


@dataclass(frozen=True, slots=True)
class MemoryDelivery:
    record: Recorded
    _durable: Durable
    _link: Link

    async def ack(self) -> None:
        if await self._says("ack"):
            self._durable.done(self.record.seq)

    async def nak(self, delay_s: float) -> None:
        if await self._says("nak"):
            self._put_off(delay_s)
            self._durable.stream.wake_all()

    async def working(self) -> None:
        if await self._says("working"):
            self._put_off(self._durable.ack_wait_s)

    async def _says(self, operation: Operation) -> bool:
        """One way, like the real one: what gets lost is not noticed here, and the message comes again."""
        try:
            await self._link.reach(operation, self.record.subject)
        except Transient:
            return False
        return True

    def _put_off(self, delay_s: float) -> None:
        if self._durable.is_out(self.record.seq):
            self._durable.put_off(self.record.seq, asyncio.get_running_loop().time() + delay_s)


class MemoryWorkQueue:
    def __init__(self, durable: Durable, link: Link) -> None:
        self._durable = durable
        self._link = link

    async def fetch(self, limit: int, *, wait_s: float) -> Sequence[Delivery]:
        durable, loop = self._durable, asyncio.get_running_loop()
        await self._link.reach("fetch", durable.stream.spec.name)
        until = loop.time() + wait_s
        while not (taken := durable.take(limit, loop.time())) and loop.time() < until:
            due = durable.next_due()
            wake_at = until if due is None else min(until, due)
            await durable.stream.changed(durable.subjects, timeout_s=wake_at - loop.time())
        await self._link.answer("fetch", durable.stream.spec.name)
        return [MemoryDelivery(record, durable, self._link) for record in taken]
