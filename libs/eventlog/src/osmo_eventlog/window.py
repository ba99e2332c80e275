"""An agent's window on the log: its own records, and nothing of anybody else.

What JetStream answers about a stream cannot be limited to some of its subjects, so an agent asks no stream. It asks here, on a subject that holds
its backend's name (`osmo.rpc.window.<backend>`); whoever has the whole log answers, about that backend alone. Questions and answers are
MessagePack, because they carry messages as they are.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.cluster import BackendRegistered, ClusterFact
from osmo_domain.commit import CommitCodec
from osmo_domain.errors import Rejected, Stale
from osmo_eventlog import subjects as s
from osmo_eventlog.matching import matches
from osmo_eventlog.ports import Blobs, EventLog, LastPerSubject, Recorded, Seq, Snapshots
from osmo_eventlog.streams import command_consumer

log = logging.getLogger("osmo.eventlog.window")

PAGE_BYTES: Final = 256 * 1024
PAGE: Final = 500
PART_BYTES: Final = 512 * 1024


class Last(Struct, frozen=True, tag="last"):
    """The newest message of the subject (which may hold wildcards). Answered with at most one record."""

    stream: str
    subject: str


class Load(Struct, frozen=True, tag="load"):
    """The subject's messages behind `after`: a page, at least one where there is one."""

    subject: str
    after: Seq = 0


class LastOfEach(Struct, frozen=True, tag="last_of_each"):
    """The newest message of each subject behind `after`, by position: a page."""

    stream: str
    subject: str
    after: Seq = 0


class Newest(Struct, frozen=True, tag="newest"):
    """The position of the stream's newest message."""

    stream: str


class Register(Struct, frozen=True, tag="register"):
    """Append to the backend's registration behind `expected`."""

    data: bytes
    message_id: str
    expected: Seq


class DeclareConsumer(Struct, frozen=True, tag="declare_consumer"):
    """Make the durable consumer of the backend's commands."""

    ack_wait_s: float = 30


class KeepSnapshot(Struct, frozen=True, tag="keep_snapshot"):
    name: str
    data: bytes


class KeptSnapshot(Struct, frozen=True, tag="kept_snapshot"):
    """Answered with at most one record, which has only data."""

    name: str


class BlobPart(Struct, frozen=True, tag="blob_part"):
    """The blob from `offset` on: a page. Whoever can name a digest was told it, or has the bytes."""

    digest: str
    offset: int = 0


class KeepBlob(Struct, frozen=True, tag="keep_blob"):
    """Keep these bytes, which are a blob or a part of one."""

    data: bytes


class JoinBlob(Struct, frozen=True, tag="join_blob"):
    """Keep what these parts are together."""

    parts: tuple[str, ...]


Question = (
    Last
    | Load
    | LastOfEach
    | Newest
    | Register
    | DeclareConsumer
    | KeepSnapshot
    | KeptSnapshot
    | BlobPart
    | KeepBlob
    | JoinBlob
)


class Found(Struct, frozen=True, tag="found"):
    """`more`: there is more behind the last of these."""

    records: tuple[tuple[str, Seq, bytes, str, float], ...] = ()
    """Subject, position, data, message id, time (see Recorded)."""
    more: bool = False


class At(Struct, frozen=True, tag="at"):
    seq: Seq = 0


class Part(Struct, frozen=True, tag="part"):
    data: bytes
    size: int
    """Of the whole blob."""


class Kept(Struct, frozen=True, tag="kept"):
    digest: str


class NoSuchBlob(Struct, frozen=True, tag="no_such_blob"):
    digest: str


class NotExpected(Struct, frozen=True, tag="stale"):
    message: str


class Denied(Struct, frozen=True, tag="denied"):
    """No, and it makes no sense to ask again. `message` is for people."""

    code: str
    message: str


Answer = Found | At | Part | Kept | NoSuchBlob | NotExpected | Denied

ENCODER: Final = msgspec.msgpack.Encoder()
_QUESTION: Final[msgspec.msgpack.Decoder[Question]] = msgspec.msgpack.Decoder(Question)
_FACTS: Final[CommitCodec[ClusterFact]] = CommitCodec(ClusterFact)

RegistrationCheck = Callable[[str, BackendRegistered], Awaitable[None]]
"""May this backend be registered so? Rejected where not."""


class Window:
    """Answers every agent about its own records. `answer` goes to `Requests.serve_each`."""

    def __init__(self, events: EventLog, snapshots: Snapshots, blobs: Blobs, check: RegistrationCheck) -> None:
        self._events = events
        self._snapshots = snapshots
        self._blobs = blobs
        self._check = check

    async def answer(self, subject: str, data: bytes) -> bytes:
        """Transient goes through: the asker hears that nobody could answer."""
        backend = s.parse_agent_window(subject)
        try:
            return ENCODER.encode(await self._answered(backend, _QUESTION.decode(data)))
        except Stale as stale:
            return ENCODER.encode(NotExpected(str(stale)))
        except Rejected as rejected:
            log.warning("an agent was refused", extra={"backend": backend, "code": rejected.code})
            return ENCODER.encode(Denied(rejected.code, rejected.message))
        except KeyError as error:
            return ENCODER.encode(NoSuchBlob(str(error.args[0])))
        except msgspec.DecodeError as error:
            return ENCODER.encode(Denied("window.bad_question", f"the question cannot be read: {error}"))

    async def _answered(self, backend: str, question: Question) -> Answer:
        match question:
            case Last(stream, subject):
                _check_own(backend, subject)
                found = await self._events.last(stream, subject)
                return _page([found] if found is not None else [])
            case Load(subject, after):
                _check_own(backend, subject)
                return _page(await self._events.load(subject, after=after, limit=PAGE + 1))
            case LastOfEach(stream, subject, after):
                _check_own(backend, subject)
                return await self._last_of_each(stream, subject, after)
            case Newest(stream):
                _check(stream == s.COMMANDS, backend, stream)
                return At(await self._events.last_seq(stream))
            case Register():
                return await self._register(backend, question)
            case DeclareConsumer(ack_wait_s):
                consumer = command_consumer(backend)
                await self._events.ensure_consumer(
                    consumer.stream, consumer.durable, consumer.subjects, ack_wait_s=ack_wait_s
                )
                return At()
            case KeepSnapshot(name, data):
                _check(name == own_snapshot(backend), backend, name)
                await self._snapshots.put(name, data)
                return At()
            case KeptSnapshot(name):
                _check(name == own_snapshot(backend), backend, name)
                kept = await self._snapshots.get(name)
                return Found((("", 0, kept, "", 0.0),) if kept is not None else ())
            case BlobPart() | KeepBlob() | JoinBlob():
                return await self._blob(question)

    async def _blob(self, question: BlobPart | KeepBlob | JoinBlob) -> Answer:
        match question:
            case BlobPart(digest, offset):
                whole = await self._blobs.get(digest)
                return Part(whole[offset : offset + PART_BYTES], len(whole))
            case KeepBlob(data):
                return Kept(await self._blobs.put(data))
            case JoinBlob(parts):
                return Kept(await self._blobs.put(b"".join([await self._blobs.get(part) for part in parts])))

    async def _last_of_each(self, stream: str, subject: str, after: Seq) -> Answer:
        newest = await self._events.last(stream, subject)
        if newest is None or newest.seq <= after:
            return Found()
        found: list[Recorded] = []
        async with aclosing(self._events.follow(stream, [subject], LastPerSubject())) as batches:
            async for batch in batches:
                found += [record for record in batch if record.seq > after]
                if batch[-1].seq >= newest.seq:
                    break
        return _page(found)

    async def _register(self, backend: str, question: Register) -> Answer:
        subject = s.cluster(backend, "registered")
        for fact in _FACTS.decode(question.data).events:
            _check(isinstance(fact, BackendRegistered) and fact.backend == backend, backend, subject)
            assert isinstance(fact, BackendRegistered)
            await self._check(backend, fact)
        return At(
            await self._events.append(
                subject, question.data, message_id=question.message_id, expected=question.expected
            )
        )


def own_snapshot(backend: str) -> str:
    """Which commands were the last of their epoch: see osmo_agent.fence."""
    return f"agent.{backend}.epoch"


def _check_own(backend: str, subject: str) -> None:
    """Facts that this backend told, commands that it was given. A wildcard stands only where the backend's own names do."""
    own = subject == s.command(backend) or matches(f"osmo.cluster.{backend}.*.*", subject)
    _check(own and ">" not in subject, backend, subject)


def _check(allowed: bool, backend: str, what: str) -> None:
    if not allowed:
        raise Rejected("window.not_yours", f"{what[:200]} is nothing that the agent of {backend} may ask about.")


def _page(records: list[Recorded]) -> Found:
    """As many as fit into one answer, at least one."""
    taken, size = 0, 0
    for record in records[:PAGE]:
        size += len(record.data)
        if taken and size > PAGE_BYTES:
            break
        taken += 1
    page = tuple((one.subject, one.seq, one.data, one.message_id, one.at_s) for one in records[:taken])
    return Found(page, more=len(records) > taken)
