"""One connection and everything on it. `connect` is the entry to this adapter."""

import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from osmo_eventlog.nats.append import Appending
from osmo_eventlog.nats.blobs import NatsBlobs
from osmo_eventlog.nats.clients import NatsClients
from osmo_eventlog.nats.leases import NatsLeases
from osmo_eventlog.nats.link import ATTEMPT_S, DEADLINE_S, ConnectionLost, Link
from osmo_eventlog.nats.log import NatsEventLog
from osmo_eventlog.nats.pieces import Pieces
from osmo_eventlog.nats.requests import NatsRequests
from osmo_eventlog.nats.snapshots import NatsSnapshots
from osmo_eventlog.nats.stored import StoredMessages
from osmo_eventlog.streams import BLOB_BUCKET, BUCKETS, SNAPSHOT_BUCKET, STREAMS, StreamSpec


class NatsConnection:
    def __init__(self, link: Link) -> None:
        stored = StoredMessages(link)
        appending = Appending(link, stored)
        self.link = link
        self.log = NatsEventLog(link, appending, stored)
        self.blobs = NatsBlobs(Pieces(appending, stored, BLOB_BUCKET))
        self.leases = NatsLeases(link, appending, stored)
        self.snapshots = NatsSnapshots(appending, stored, Pieces(appending, stored, SNAPSHOT_BUCKET))
        self.requests = NatsRequests(link)
        self.clients = NatsClients(link)

    @property
    def connected(self) -> bool:
        """Whether the server can be reached now: for readiness."""
        return bool(self.link.client.is_connected)

    async def watch(self) -> None:
        """Never returns; raises ConnectionLost when the client has closed for good. A root loop."""
        await self.link.closed.wait()
        raise ConnectionLost(self.link.name)


@contextlib.asynccontextmanager
async def connect(
    url: str,
    *,
    name: str,
    rng: random.Random,
    streams: Sequence[StreamSpec] = STREAMS,
    deadline_s: float = DEADLINE_S,
    attempt_s: float = ATTEMPT_S,
    options: Mapping[str, Any] | None = None,
) -> AsyncIterator[NatsConnection]:
    """Connected on entry, however long the server takes to come up; drained on leaving. `url` may list several servers, with commas.

    `options` are further ones of nats-py (see AgentLogin). A call tries for `deadline_s` before it is Transient; each of its tries waits `attempt_s` for the server's answer.
    """
    link = Link(name, rng, (*streams, *BUCKETS), deadline_s=deadline_s, attempt_s=attempt_s)
    await link.open(url, options or {})
    try:
        yield NatsConnection(link)
    finally:
        await link.close()
