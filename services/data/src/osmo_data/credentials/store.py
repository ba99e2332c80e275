"""The credentials of all users: folded from the log, changed by appending to it."""

import asyncio
import logging
import random
from contextlib import aclosing
from typing import Final

import msgspec

from osmo_domain.commit import Commit, UnknownEvent, encode_commit
from osmo_domain.credentials import (
    CREDENTIAL_CODEC,
    CREDENTIAL_KIND,
    CredentialBook,
    CredentialEvent,
    credential_object,
)
from osmo_domain.errors import Transient
from osmo_domain.ids import new_uuid
from osmo_eventlog.following import follow_to_now
from osmo_eventlog.ports import After, EventLog, Recorded
from osmo_eventlog.subjects import CONFIG, config
from osmo_service.clock import Clock

log = logging.getLogger("osmo.data.credentials")

EVERY_CREDENTIAL: Final = f"osmo.config.{CREDENTIAL_KIND}.*"
_CATCH_UP_WITHIN_S: Final = 8.0
"""Below the time for which those wait who ask."""


class CredentialStore:
    """`caught_up` is set once everything is known that was there at the start."""

    def __init__(self, event_log: EventLog, clock: Clock, rng: random.Random) -> None:
        self._log = event_log
        self._clock = clock
        self._rng = rng
        self._book = CredentialBook()
        self._seen = 0
        self._moved = asyncio.Condition()
        self.caught_up = asyncio.Event()

    async def follow(self) -> None:
        """Root loop. The whole history is read: which credential took the place of which is a matter of order."""
        everything = follow_to_now(self._log, CONFIG, [EVERY_CREDENTIAL], After(0), self.caught_up)
        async with aclosing(everything) as batches:
            async for batch in batches:
                for record in batch:
                    self._see(record)
                async with self._moved:
                    self._moved.notify_all()

    async def current(self) -> CredentialBook:
        """The credentials as they are now, whichever replica wrote last. Transient where this one cannot keep up."""
        last = await self._log.last(CONFIG, EVERY_CREDENTIAL)
        wanted = last.seq if last is not None else 0
        try:
            async with asyncio.timeout(_CATCH_UP_WITHIN_S), self._moved:
                await self._moved.wait_for(lambda: self._seen >= wanted)
        except TimeoutError as error:
            raise Transient("the credentials are still being read") from error
        return self._book

    async def position(self, user: str, name: str) -> int:
        """Of the last event of this credential; what an `append` expects that was decided on what `current` gives after this."""
        last = await self._log.last(CONFIG, _subject(user, name))
        return last.seq if last is not None else 0

    async def append(self, event: CredentialEvent, *, expected: int) -> int:
        """Raises Stale where somebody else changed this credential first."""
        commit: Commit[CredentialEvent] = Commit(
            id=new_uuid(self._rng), at=self._clock.now(), actor=event.user, events=[event]
        )
        subject = _subject(event.user, event.name)
        return await self._log.append(subject, encode_commit(commit), message_id=commit.id, expected=expected)

    def _see(self, record: Recorded) -> None:
        try:
            for event in CREDENTIAL_CODEC.decode(record.data).events:
                if not isinstance(event, UnknownEvent):
                    self._book.apply(event)
        except msgspec.MsgspecError as error:
            log.error("no credential: passed over", extra={"subject": record.subject, "error": str(error)})
        self._seen = record.seq


def _subject(user: str, name: str) -> str:
    return config(CREDENTIAL_KIND, credential_object(user, name))
