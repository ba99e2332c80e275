"""One message on a fact stream is one commit: what one decision (or one look at the world) said about one subject.

Decoding is in two steps where it must be: a commit whose events are all known is decoded at once; a commit with an event that this
release does not know keeps it as `UnknownEvent`, because history is true even when it is news to us.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, field

E = TypeVar("E")


class UnknownEvent(Struct, frozen=True):
    """An event written by a newer release. Folds keep the state that they have."""

    type: str
    body: Raw


class Commit(Struct, Generic[E], frozen=True, omit_defaults=True):
    """`id` names the commit for ever: a repeated append of the same id is stored once.

    `actor` is the user or service that decided; `cause` is the id of the request or the position of the fact that led to it;
    `inputs` are the positions (stream name to sequence) up to which the decider had read.
    """

    id: str
    at: datetime
    actor: str
    events: list[E]
    cause: str = ""
    inputs: dict[str, int] = field(default_factory=dict)


class _RawCommit(Struct, frozen=True):
    id: str
    at: datetime
    actor: str
    events: list[Raw]
    cause: str = ""
    inputs: dict[str, int] = field(default_factory=dict)


class _Tag(Struct, frozen=True):
    type: str


_ENCODER = msgspec.json.Encoder()
_RAW_DECODER = msgspec.json.Decoder(_RawCommit)
_TAG_DECODER = msgspec.json.Decoder(_Tag)


def encode_commit(commit: Commit[Any]) -> bytes:
    return _ENCODER.encode(commit)


class CommitCodec(Generic[E]):
    """Decodes the commits of one union of events. Make one per union and keep it."""

    def __init__(self, union: Any, upcasters: Mapping[str, Any] | None = None) -> None:
        self._whole: msgspec.json.Decoder[Commit[E]] = msgspec.json.Decoder(Commit[union])
        self._one: msgspec.json.Decoder[E] = msgspec.json.Decoder(union)
        self._upcasters = dict(upcasters or {})

    def decode(self, data: bytes) -> Commit[E | UnknownEvent]:
        """Never raises for an event that is unknown; raises msgspec.DecodeError for bytes that are no commit."""
        if not self._upcasters:
            try:
                return self._whole.decode(data)  # type: ignore[return-value]
            except msgspec.ValidationError:
                pass
        raw = _RAW_DECODER.decode(data)
        return Commit(
            id=raw.id,
            at=raw.at,
            actor=raw.actor,
            events=list(self._each(raw.events)),
            cause=raw.cause,
            inputs=raw.inputs,
        )

    def _each(self, bodies: Iterable[Raw]) -> Iterable[E | UnknownEvent]:
        for body in bodies:
            tag = _TAG_DECODER.decode(body).type
            upcast = self._upcasters.get(tag)
            if upcast is not None:
                yield upcast(body)
                continue
            try:
                yield self._one.decode(body)
            except msgspec.ValidationError:
                yield UnknownEvent(type=tag, body=body.copy())
