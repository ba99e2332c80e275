"""Who stands at NATS's door: the server asks about every client that comes with a token, and we look at the tokens' records (auth callout)."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from osmo_domain.errors import Rejected
from osmo_eventlog.agent_rights import Rights, rights_of
from osmo_gateway.backends.tokens import BackendTokens, login
from osmo_gateway.estate import Estate
from osmo_service.clock import Clock

log = logging.getLogger("osmo.gateway.backends")


class AtTheDoor(Protocol):
    """A client that wants to come in."""

    @property
    def token(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def host(self) -> str: ...


C = TypeVar("C", bound=AtTheDoor)
C_contra = TypeVar("C_contra", bound=AtTheDoor, contravariant=True)


class Signer(Protocol[C_contra]):
    """Writes answers that nats-server believes: see osmo_eventlog.nats.callout.Issuer."""

    def let_in(self, caller: C_contra, *, name: str, rights: Rights, now: datetime, until: datetime) -> bytes: ...

    def turn_away(self, caller: C_contra, reason: str, *, now: datetime) -> bytes: ...


MakeDoor = Callable[[BackendTokens, Estate], "AgentDoor"]


class AgentDoor:
    """`answer` goes to `Requests.serve`. A login lasts for `login_for`, or as long as its token; then the agent comes again by itself.

    A token opens only while its backend is configured: who deletes the backend in whatever way keeps its agent out.
    """

    def __init__(
        self,
        tokens: BackendTokens,
        estate: Estate,
        signer: Signer[C],
        read: Callable[[bytes], C],
        clock: Clock,
        login_for: timedelta,
    ) -> None:
        self._tokens = tokens
        self._estate = estate
        self._clock = clock
        self._login_for = login_for
        self._decide: Callable[[bytes], bytes] = lambda data: self._answered(signer, read(data))

    async def answer(self, data: bytes) -> bytes:
        await self._tokens.known.wait()
        await self._estate.catalogue_known.wait()
        return self._decide(data)

    def _answered(self, signer: Signer[C], caller: C) -> bytes:
        now = self._clock.now()
        try:
            backend, token = self._tokens.access.of(caller.token, now)
            if backend not in self._estate.catalogue.backends:
                raise Rejected("backend.unknown", f"there is no backend {backend} any more")
        except Rejected as rejected:
            log.warning(
                "an agent was not let in",
                extra={"why": rejected.message, "code": rejected.code, "client": caller.name, "host": caller.host},
            )
            return signer.turn_away(caller, rejected.message, now=now)
        until = now + self._login_for
        if token.ends_at is not None:
            until = min(until, token.ends_at)
        log.info("an agent comes in", extra={"backend": backend, "token_id": token.token_id, "host": caller.host})
        name = login(backend, token.token_id)
        return signer.let_in(caller, name=name, rights=rights_of(backend), now=now, until=until)
