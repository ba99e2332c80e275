"""What the house needs of a log. Two adapters keep these promises (osmo_eventlog.nats, osmo_eventlog.memory); one contract suite proves it.

A *position* (`seq`) counts messages of one stream from 1. A *subject* is one aggregate. Everything here may raise Transient when the
server is away for longer than the adapter's deadline, and Stale where it says so; library errors never come through.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

Seq = int


@dataclass(frozen=True, slots=True)
class Recorded:
    """One stored message. `data` is the bytes that were appended. `at_s` is when the server stored it, by its own clock (seconds since 1970)."""

    stream: str
    subject: str
    seq: Seq
    data: bytes
    message_id: str = ""
    at_s: float = field(default=0.0, compare=False)

    @property
    def stored_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.at_s, UTC) if self.at_s else None


@dataclass(frozen=True, slots=True)
class After:
    """Start behind this position (0 = from the beginning)."""

    seq: Seq = 0


@dataclass(frozen=True, slots=True)
class LastPerSubject:
    """Start with the last message of every subject, then everything new."""


@dataclass(frozen=True, slots=True)
class OnlyNew:
    """Start with what is appended from now on (from the moment of the first read)."""


Start = After | LastPerSubject | OnlyNew


class EventLog(Protocol):
    async def append(
        self, subject: str, data: bytes, *, message_id: str, expected: Seq | None, across: str | None = None
    ) -> Seq:
        """Store one commit and return its position.

        With `expected` the position of the subject's last message must be that (0 = the subject must be empty), else Stale. `across`
        widens the check to every subject that it matches (a wildcard); the match must include `subject`. Without `expected` there is no check.
        Exactly once: repeating a call with the same message_id and expectation returns the position of the first that landed, whatever
        was lost on the way (style P1). After Transient the commit may still land.
        """
        ...

    async def load(self, subject: str, *, after: Seq = 0, limit: int | None = None) -> list[Recorded]:
        """The messages of this one subject behind `after`, oldest first, at most `limit`; read-your-writes. Empty where there is none."""
        ...

    async def last(self, stream: str, subject: str) -> Recorded | None:
        """The last message of the subject (which may hold wildcards), or None."""
        ...

    async def last_seq(self, stream: str) -> Seq:
        """The position of the stream's newest message; 0 where it never had one."""
        ...

    def follow(
        self, stream: str, subjects: Sequence[str], start: Start, *, batch: int = 512
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        """Messages in stream order, without gaps or repeats, for ever; in non-empty batches of what is there already (at most `batch`).

        Survives reconnects and server restarts by itself. There is no acknowledgement: the reader keeps its own position. Closing the
        iterator (or cancelling its reader) frees everything on the server.
        """
        ...

    async def publish(self, subject: str, data: bytes, *, message_id: str) -> Seq:
        """Append without expectation; a repeated message_id within the stream's window is stored once. For facts, commands, log batches."""
        ...

    def consume(self, stream: str, durable: str) -> AbstractAsyncContextManager["WorkQueue"]:
        """Bind to a durable consumer that `ensure_consumer` made."""
        ...

    async def ensure_consumer(
        self, stream: str, durable: str, subjects: Sequence[str], *, ack_wait_s: float = 30
    ) -> None:
        """Create or update a durable pull consumer."""
        ...

    async def purge(self, stream: str, subject: str) -> None:
        """Remove every message of a subject (tests, archival)."""
        ...


class Delivery(Protocol):
    """One message of a work queue, until it is acknowledged."""

    @property
    def record(self) -> Recorded: ...

    async def ack(self) -> None: ...

    async def nak(self, delay_s: float) -> None:
        """Give it back: it comes again after the delay."""
        ...

    async def working(self) -> None:
        """Put off redelivery by another ack wait."""
        ...


class WorkQueue(Protocol):
    async def fetch(self, limit: int, *, wait_s: float) -> Sequence[Delivery]:
        """Up to `limit` messages that are there; waits at most `wait_s` for the first. Empty when idle. Never spins."""
        ...


class Blobs(Protocol):
    """Bytes named by their SHA-256 (hex). Putting the same bytes again is harmless."""

    async def put(self, data: bytes) -> str: ...

    async def get(self, digest: str) -> bytes:
        """Raises KeyError for a digest that was never put."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim on `name` held by `holder`. `epoch` grows with every change of holder: effects carry it, and older ones are refused."""

    name: str
    holder: str
    epoch: int


class Leases(Protocol):
    async def acquire(self, name: str, holder: str, *, ttl_s: float) -> Lease | None:
        """Take or keep the claim; None while another holder's claim has not expired. A claim kept by its holder keeps its epoch."""
        ...

    async def renew(self, lease: Lease, *, ttl_s: float) -> bool:
        """False when the claim is lost: stop at once."""
        ...

    async def release(self, lease: Lease) -> None: ...


class Snapshots(Protocol):
    """One slot per name for folded state; the newest wins. A snapshot is a shortcut, never the truth."""

    async def put(self, name: str, data: bytes) -> None: ...

    async def get(self, name: str) -> bytes | None: ...


Handler = Callable[[bytes], Awaitable[bytes]]
SubjectHandler = Callable[[str, bytes], Awaitable[bytes]]
"""Also told on which subject it was asked."""


class Requests(Protocol):
    """Questions between services: request and reply, each asked of one of the service's replicas."""

    async def ask(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Transient when nobody answers in time or nobody serves the subject. The question may have been handled all the same."""
        ...

    def serve(
        self, name: str, subject: str, handler: Handler, *, concurrency: int = 64
    ) -> AbstractAsyncContextManager[None]:
        """Answer questions while the context is open; on leaving, questions under way are finished first."""
        ...

    def serve_each(
        self, name: str, pattern: str, handler: SubjectHandler, *, concurrency: int = 64
    ) -> AbstractAsyncContextManager[None]:
        """The same for every subject that the pattern matches."""
        ...


class Clients(Protocol):
    """Who is connected. Only a gateway that lets agents in needs it."""

    async def send_away(self, users: set[str]) -> int:
        """End every connection that was let in under one of these names; how many were found."""
        ...


class Connection(Protocol):
    """All of it, over one connection. What `connect` of an adapter yields and a service's app.py takes apart."""

    @property
    def log(self) -> EventLog: ...

    @property
    def blobs(self) -> Blobs: ...

    @property
    def leases(self) -> Leases: ...

    @property
    def snapshots(self) -> Snapshots: ...

    @property
    def requests(self) -> Requests: ...

    async def watch(self) -> None:
        """Never returns; raises when the connection is gone for good. Services run it as a root loop, so that this never passes in silence."""
        ...
