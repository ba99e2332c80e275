"""Keeps the configuration equal to the CONFIG stream, and appends to it what was decided on all of it."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import msgspec

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import CATALOGUE_KINDS, CONFIG_CODEC, ConfigEvent
from osmo_domain.configuration.book import Book
from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.errors import Stale, Transient
from osmo_domain.ids import new_uuid
from osmo_eventlog.following import follow_to_now
from osmo_eventlog.ports import After, EventLog, Recorded
from osmo_eventlog.subjects import CONFIG, config_of_kind, config_revision
from osmo_gateway.estate import Estate
from osmo_service.clock import Clock

log = logging.getLogger("osmo.gateway.configs")

_REVISIONS = config_of_kind("revision")
_MOST_TRIES = 16
_WITHIN_S = 5.0

Decide = Callable[[Book], ConfigEvent]
Guard = Callable[[ConfigEvent], Awaitable[None]]


class ConfigKeeper:
    """`book` is what is known here. Its catalogue is the estate's."""

    def __init__(self, event_log: EventLog, estate: Estate, clock: Clock, rng: random.Random) -> None:
        self._log = event_log
        self._estate = estate
        self._clock = clock
        self._rng = rng
        self._writing = asyncio.Lock()
        self._folded = asyncio.Condition()
        self.book = Book(catalogue=estate.catalogue)

    async def follow(self) -> None:
        """Root loop: know every revision."""
        wanted = [config_of_kind(kind) for kind in CATALOGUE_KINDS]
        async for batch in follow_to_now(self._log, CONFIG, wanted, After(), self._estate.catalogue_known):
            for record in batch:
                self._fold(record)
            self._estate.forget_layout()
            async with self._folded:
                self._folded.notify_all()

    def _fold(self, record: Recorded) -> None:
        revision = record.subject.startswith(_REVISIONS.removesuffix("*"))
        try:
            self.book.fold(CONFIG_CODEC.decode(record.data), record.seq, revision=revision)
        except msgspec.MsgspecError as error:
            log.error("a config message cannot be read", extra={"subject": record.subject, "error": str(error)})
            self.book.passed(record.seq, revision=revision)

    async def write(self, user: str, kind: ConfigType, decide: Decide, guard: Guard) -> None:
        """Decide on the configuration as it is, and append behind exactly that: one write changes it at a time, in the whole installation.

        Returns when the write can be read here. `guard` may refuse what was decided.
        """
        async with self._writing:
            for _ in range(_MOST_TRIES):
                expected = self.book.revised_seq
                event = decide(self.book)
                await guard(event)
                try:
                    seq = await self._append(user, kind, event, expected)
                except Stale:
                    await self._catch_up()
                    continue
                await self._reach(seq)
                return
        raise Transient("the configuration changes too fast to be written")

    async def _append(self, user: str, kind: ConfigType, event: ConfigEvent, expected: int) -> int:
        commit: Commit[ConfigEvent] = Commit(
            id=new_uuid(self._rng), at=self._clock.now(), actor=user, events=[event], inputs={CONFIG: self.book.seq}
        )
        return await self._log.append(
            config_revision(kind), encode_commit(commit), message_id=commit.id, expected=expected, across=_REVISIONS
        )

    async def _catch_up(self) -> None:
        last = await self._log.last(CONFIG, _REVISIONS)
        if last is not None:
            await self._reach(last.seq)

    async def _reach(self, seq: int) -> None:
        try:
            async with asyncio.timeout(_WITHIN_S), self._folded:
                await self._folded.wait_for(lambda: self.book.revised_seq >= seq)
        except TimeoutError as error:
            raise Transient("the configuration cannot be read right now") from error
