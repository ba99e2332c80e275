"""The client connection and what its callbacks tell: whether it is joined, how often it was, and whether it is gone for good."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

import nats.errors
from nats.js import JetStreamContext

from osmo_domain.errors import Transient
from osmo_eventlog.nats.asking import Asking
from osmo_eventlog.nats.client import SteadyClient, is_refusal
from osmo_eventlog.streams import StreamSpec

log = logging.getLogger("osmo.eventlog.nats")

DEADLINE_S = 10.0
"""How long any call tries before it is Transient."""
ATTEMPT_S = 2.0
"""How long one try waits for the server's answer."""
RECONNECT_EVERY_S = 0.2
PING_EVERY_S = 5
REFUSED_FIRST_S = 0.5
REFUSED_MOST_S = 15.0
"""Whoever is not let in waits for so long, twice as long each time, before the next try."""

_SERVER_IS_AWAY = (OSError, asyncio.TimeoutError, nats.errors.StaleConnectionError, nats.errors.NoServersError)


class ConnectionLost(RuntimeError):
    """The client has closed for good; only a new process will do."""


class Link:
    def __init__(
        self, name: str, rng: random.Random, specs: Sequence[StreamSpec], *, deadline_s: float, attempt_s: float
    ) -> None:
        self.deadline_s = deadline_s
        self.attempt_s = attempt_s
        self.name = name
        self.rng = rng
        self.specs = specs
        self.client = SteadyClient()
        self.js: JetStreamContext = self.client.jetstream(timeout=attempt_s)
        self.asking = Asking(self.client)
        self.closed = asyncio.Event()
        self.joins = 0
        """Counts the times that the connection came back: what was asked before may never be answered."""
        self._joined = asyncio.Event()
        self._closing = False
        self._said_away = False
        self._refused = 0
        self._lost: set[asyncio.Event] = set()

    async def open(self, url: str, options: Mapping[str, Any]) -> None:
        """Returns once connected, however long that takes. `options` are further ones of nats-py."""
        await self.client.connect(
            url.split(","),
            **options,
            name=self.name,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_EVERY_S,  # type: ignore[arg-type]  # it is a sleep; fractions are fine
            ping_interval=PING_EVERY_S,
            drain_timeout=5,
        )
        await self.asking.open()
        self._said_away, self._refused = False, 0
        self._joined.set()

    async def close(self) -> None:
        """Sends what is buffered and leaves; what cannot be sent within the deadline is given up."""
        self._closing = True
        try:
            await asyncio.wait_for(self.client.drain(), self.deadline_s)
        except (nats.errors.Error, TimeoutError, OSError):
            await self.client.close()

    async def joined(self, within_s: float) -> None:
        """Returns when there is a connection; Transient when there is none in time or never again."""
        if self.client.is_connected:
            return
        if self.closed.is_set():
            raise Transient(f"{self.name}: the connection to NATS is closed")
        try:
            async with asyncio.timeout(within_s):
                await self._joined.wait()
        except TimeoutError as error:
            raise Transient(f"{self.name}: no connection to NATS for {within_s:.0f} s") from error

    async def pause(self, attempt: int) -> None:
        """Back-off with jitter: some 10 ms at first, half a second at most."""
        await asyncio.sleep(min(0.01 * 2**attempt, 0.5) * (0.5 + self.rng.random()))

    def tell_when_broken(self, event: asyncio.Event) -> None:
        """Set the event at every disconnect and every reconnect, until `forget`."""
        self._lost.add(event)

    def forget(self, event: asyncio.Event) -> None:
        self._lost.discard(event)

    async def _on_error(self, error: Exception) -> None:
        """A server that is away is said once, by the first failure or by the disconnect; anything else is news each time.

        Called between two tries: a client that was refused is held up here, and tries more and more slowly.
        """
        if is_refusal(error):
            await self._wait_refused()
            return
        away = isinstance(error, _SERVER_IS_AWAY)
        level = logging.DEBUG if away and self._said_away else logging.WARNING
        self._said_away = self._said_away or away
        log.log(level, "nats client error", extra={"client": self.name, "error": repr(error)})

    async def _wait_refused(self) -> None:
        if not self._refused:
            log.error(
                "NATS does not let this client in: its token is wrong or was revoked, or nobody is there to check it. Trying again",
                extra={"client": self.name},
            )
        wait_s = min(REFUSED_MOST_S, REFUSED_FIRST_S * 2.0 ** min(self._refused, 10))
        self._refused += 1
        await asyncio.sleep(wait_s * (0.75 + 0.25 * self.rng.random()))

    async def _on_disconnected(self) -> None:
        self._joined.clear()
        self.asking.lose()
        if not self._closing:
            self._said_away = True
            log.warning("disconnected from NATS", extra={"client": self.name})
        self._break()

    async def _on_reconnected(self) -> None:
        self.joins += 1
        self._said_away, self._refused = False, 0
        self._joined.set()
        log.info("connected to NATS again", extra={"client": self.name, "joins": self.joins})
        self._break()

    async def _on_closed(self) -> None:
        self.closed.set()
        self._joined.set()  # nobody waits for ever for what will not come
        self._break()
        if not self._closing:
            log.error("the connection to NATS is closed for good", extra={"client": self.name})

    def _break(self) -> None:
        for event in list(self._lost):
            event.set()
