"""Reading an aggregate, or where a stream stands: always the leader's answer (style P14, P15)."""

from nats.js.api import DeliverPolicy, StreamState

from osmo_domain.errors import Transient
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.reader import Broken, reading
from osmo_eventlog.nats.retrying import Deadline
from osmo_eventlog.nats.stored import StoredMessages
from osmo_eventlog.ports import Recorded, Seq
from osmo_eventlog.streams import stream_of

_WALKED = 8
"""So many messages are read one by one; more are worth a consumer."""
_BATCH = 1024


class Loading:
    def __init__(self, link: Link, stored: StoredMessages) -> None:
        self._link = link
        self._stored = stored

    async def load(self, subject: str, *, after: Seq, limit: int | None = None) -> list[Recorded]:
        stream = stream_of(subject, self._link.specs)
        newest = await self._stored.last(stream, subject)
        if newest is None or newest.seq <= after:
            return []
        if any(spec.work_queue for spec in self._link.specs if spec.name == stream):
            # Only the queue's own consumer may read a work queue, and its messages go away as we look.
            return await self._stored.walk(stream, subject, after=after, limit=limit)
        wanted = _WALKED if limit is None else min(limit, _WALKED)
        found = await self._stored.walk(stream, subject, after=after, limit=wanted)
        position = found[-1].seq if found else after
        if position < newest.seq and len(found) != limit:
            found += await self._stretch(stream, subject, position, newest.seq)
        return found[:limit]

    async def last(self, stream: str, subject: str) -> Recorded | None:
        found = await self._stored.last(stream, subject)
        return found.recorded(stream) if found is not None else None

    async def last_seq(self, stream: str) -> Seq:
        return (await self._state(stream)).last_seq

    async def count(self, stream: str) -> int:
        """How many messages the stream holds."""
        return (await self._state(stream)).messages

    async def _state(self, stream: str) -> StreamState:
        deadline = Deadline(self._link)
        while True:
            await deadline.joined()
            try:
                info = await self._link.js.stream_info(stream)
            except LIBRARY_ERRORS as error:
                await deadline.again(translate(error, f"position of {stream}"), error)
            else:
                return info.state

    async def _stretch(self, stream: str, subject: str, after: Seq, upto: Seq) -> list[Recorded]:
        """The subject's messages behind `after`, up to the position `upto`, which exists."""
        deadline = Deadline(self._link)
        found: list[Recorded] = []
        while True:
            await deadline.joined()
            try:
                policy = DeliverPolicy.BY_START_SEQUENCE
                async with reading(self._link, stream, [subject], policy, after + 1) as reader:
                    while after < upto:
                        found += await reader.take(_BATCH)
                        after = found[-1].seq
                    return [record for record in found if record.seq <= upto]
            except (Broken, Transient) as error:
                await deadline.again(Transient(str(error)), error)
