"""The tokens of agents: records on `osmo.config.backend_token.<backend>`, each with who did it and when. Tokens themselves are told once and kept nowhere."""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from osmo_domain.backend_access import (
    ACCESS_CODEC,
    AccessEvent,
    BackendAccess,
    TokenIssued,
    decide_issue,
    decide_revoke,
    decide_rotate,
    make_token,
)
from osmo_domain.commit import Commit, UnknownEvent, encode_commit
from osmo_domain.errors import Rejected, Stale, Transient
from osmo_domain.ids import new_uuid
from osmo_eventlog.following import follow_to_now
from osmo_eventlog.ports import After, EventLog, Recorded
from osmo_eventlog.subjects import CONFIG, config, config_of_kind
from osmo_service.clock import Clock

log = logging.getLogger("osmo.gateway.backends")

KIND: Final = "backend_token"
LONGEST_GRACE: Final = timedelta(days=30)
_MOST_TRIES: Final = 16
_WITHIN_S: Final = 5.0

Decide = Callable[[BackendAccess, datetime], list[AccessEvent]]


class BackendTokens:
    """`access` is what is known here. `secret` makes the random part of a token."""

    def __init__(
        self,
        event_log: EventLog,
        clock: Clock,
        rng: random.Random,
        secret: Callable[[], str] = lambda: secrets.token_hex(32),
    ) -> None:
        self._log = event_log
        self._clock = clock
        self._rng = rng
        self._secret = secret
        self._folded = asyncio.Condition()
        self.access = BackendAccess()
        self.known = asyncio.Event()

    async def follow(self) -> None:
        """Root loop: know every token."""
        async for batch in follow_to_now(self._log, CONFIG, [config_of_kind(KIND)], After(), self.known):
            for record in batch:
                self._fold(record)
            async with self._folded:
                self._folded.notify_all()

    def _fold(self, record: Recorded) -> None:
        try:
            commit = ACCESS_CODEC.decode(record.data)
        except msgspec.MsgspecError as error:
            log.error("a token's record cannot be read", extra={"subject": record.subject, "error": str(error)})
            return
        for event in commit.events:
            if not isinstance(event, UnknownEvent):
                self.access.fold(event, commit.actor, commit.at)
                self.access.positions[event.backend] = record.seq

    async def issue(self, user: str, backend: str) -> str:
        """A new token of the backend."""
        token = make_token(backend, self._secret())
        await self._write(user, backend, lambda access, now: decide_issue(access, backend, token, now))
        return token

    async def rotate(self, user: str, backend: str, grace: timedelta) -> tuple[str, datetime | None]:
        """A new token, and when the one before it ends (None: there was none)."""
        if not timedelta(0) <= grace <= LONGEST_GRACE:
            raise Rejected("backend.grace", f"A grace is from 0 to {LONGEST_GRACE.days} days.")
        token, until = make_token(backend, self._secret()), self._clock.now() + grace
        events = await self._write(user, backend, lambda access, now: decide_rotate(access, backend, token, now, until))
        return token, until if len(events) > 1 else None

    async def revoke(self, user: str, backend: str, wanted: str = "") -> list[str]:
        """The ids of what was revoked: the token of this id, or every valid one."""
        events = await self._write(user, backend, lambda access, now: decide_revoke(access, backend, wanted, now))
        return [event.token_id for event in events]

    async def sow(self, backend: str, sha256: str) -> None:
        """A token that the installation begins with, unless there ever was one like it. Before `follow`."""
        for record in await self._log.load(config(KIND, backend)):
            for event in ACCESS_CODEC.decode(record.data).events:
                if isinstance(event, TokenIssued) and event.sha256 == sha256:
                    return
        last = await self._log.last(CONFIG, config(KIND, backend))
        issued = TokenIssued(backend, sha256[:12], sha256)
        await self._append("seed", backend, [issued], last.seq if last is not None else 0)

    async def _write(self, user: str, backend: str, decide: Decide) -> list[AccessEvent]:
        """Decided on what the log holds, and known here when this returns."""
        for _ in range(_MOST_TRIES):
            await self._catch_up(backend)
            events = decide(self.access, self._clock.now())
            if not events:
                return []
            try:
                seq = await self._append(user, backend, events, self.access.positions.get(backend, 0))
            except Stale:
                continue
            await self._reach(backend, seq)
            return events
        raise Transient(f"the tokens of {backend} change too fast to be written")

    async def _append(self, user: str, backend: str, events: list[AccessEvent], expected: int) -> int:
        commit: Commit[AccessEvent] = Commit(id=new_uuid(self._rng), at=self._clock.now(), actor=user, events=events)
        subject = config(KIND, backend)
        return await self._log.append(subject, encode_commit(commit), message_id=commit.id, expected=expected)

    async def _catch_up(self, backend: str) -> None:
        last = await self._log.last(CONFIG, config(KIND, backend))
        if last is not None:
            await self._reach(backend, last.seq)

    async def _reach(self, backend: str, seq: int) -> None:
        try:
            async with asyncio.timeout(_WITHIN_S), self._folded:
                await self._folded.wait_for(lambda: self.access.positions.get(backend, 0) >= seq)
        except TimeoutError as error:
            raise Transient("the tokens cannot be read right now") from error


def logins(backend: str, token_ids: list[str]) -> set[str]:
    """The names under which agents with these tokens are connected."""
    return {login(backend, each) for each in token_ids}


def login(backend: str, each: str) -> str:
    return f"{backend}/{each}"
