"""`EventLog.follow`: readers one after another, so that what comes out has no gaps and no repeats whatever happens to the connection."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from nats.js.api import DeliverPolicy

from osmo_domain.errors import Transient
from osmo_eventlog.matching import matcher
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.loading import Loading
from osmo_eventlog.nats.reader import Broken, Reader, reading
from osmo_eventlog.ports import After, LastPerSubject, OnlyNew, Recorded, Seq, Start

log = logging.getLogger("osmo.eventlog.nats")

_LONG = 2000
"""Replays of fewer messages than this are not worth a thought about their filter."""


class Following:
    def __init__(self, link: Link, loading: Loading) -> None:
        self._link = link
        self._loading = loading

    async def follow(
        self, stream: str, subjects: Sequence[str], start: Start, *, batch: int
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        position: Seq = 0
        match start:
            case After(seq=seq):
                position = seq
            case OnlyNew():
                position = await self._newest(stream)
            case LastPerSubject():
                position = await self._newest(stream)
                async with aclosing(self._last_per_subject(stream, subjects, position, batch)) as first:
                    async for records in first:
                        yield records
        async with aclosing(self._behind(stream, subjects, position, batch)) as rest:
            async for records in rest:
                yield records

    async def _behind(
        self, stream: str, subjects: Sequence[str], position: Seq, batch: int
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        """Everything behind the position, for ever; a broken reader is replaced by one behind what was given."""
        asked, wanted = subjects, matcher(subjects)
        failures = 0
        while True:
            try:
                policy = DeliverPolicy.BY_START_SEQUENCE
                async with reading(self._link, stream, asked, policy, position + 1) as reader:
                    if asked and await self._is_wide(stream, reader):
                        asked = ()
                        continue
                    while True:
                        records = await reader.take(batch)
                        failures = 0
                        position = records[-1].seq
                        if asked or (records := [record for record in records if wanted(record.subject)]):
                            yield records
            except (Broken, Transient) as error:
                await self._mend(stream, error, failures)
                failures += 1

    async def _last_per_subject(
        self, stream: str, subjects: Sequence[str], horizon: Seq, batch: int
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        """The last message of every subject up to the horizon. A subject that moved on meanwhile is left to what follows the horizon."""
        position, failures = 0, 0
        while True:
            try:
                async with reading(self._link, stream, subjects or [">"], DeliverPolicy.LAST_PER_SUBJECT) as reader:
                    while (records := await _next_up_to(reader, horizon, batch)) is not None:
                        fresh = [record for record in records if position < record.seq <= horizon]
                        if fresh:
                            position = fresh[-1].seq
                            yield fresh
                    return
            except (Broken, Transient) as error:
                await self._mend(stream, error, failures)
                failures += 1

    async def _is_wide(self, stream: str, reader: Reader) -> bool:
        """Most of the stream matches: then the server is more than twice as fast without the filter, and we drop the rest (style P5)."""
        return reader.waiting >= _LONG and 2 * reader.waiting >= await self._loading.count(stream)

    async def _newest(self, stream: str) -> Seq:
        failures = 0
        while True:
            try:
                return await self._loading.last_seq(stream)
            except Transient as error:
                await self._mend(stream, error, failures)
                failures += 1

    async def _mend(self, stream: str, error: Exception, failures: int) -> None:
        """Returns when it is worth trying again, however long that takes; raises when the connection is gone for good."""
        log.info("following again", extra={"stream": stream, "client": self._link.name, "reason": str(error)})
        if failures:
            await self._link.pause(failures)
        while not self._link.client.is_connected:
            if self._link.closed.is_set():
                raise error
            try:
                await self._link.joined(self._link.deadline_s)
            except Transient:
                continue


async def _next_up_to(reader: Reader, horizon: Seq, batch: int) -> Sequence[Recorded] | None:
    """The next batch of what the server had when the reader started; None when that is all."""
    if reader.exhausted or reader.newest_taken >= horizon:
        return None
    return await reader.take(batch)
