"""Who may come in as the agent of a backend: its tokens, as they were issued, are being retired, or were revoked; and whose version fits ours.

A token is `osmo_<backend>_<secret>`. Nobody keeps it: the log holds its SHA-256, which tells nothing about 256 random bits.
"""

import hashlib
import hmac
import re
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from osmo_domain.commit import CommitCodec
from osmo_domain.errors import Rejected

BACKEND_NAME: Final = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
"""Of a backend that is registered: it becomes a part of subjects, of Kubernetes names and of tokens. Match with `fullmatch`."""

TOKENS_AT_ONCE: Final = 2
"""Of one backend: the one that is used, and the one that is to be used."""

_TOKEN: Final = re.compile(r"osmo_([a-z][a-z0-9-]*)_([0-9a-f]{64})")


class TokenIssued(Struct, frozen=True, omit_defaults=True, tag="backend_token.issued"):
    """From now on whoever shows the token with this SHA-256 (hex) is the backend's agent. `token_id` is what people call it."""

    backend: str
    token_id: str
    sha256: str


class TokenRetired(Struct, frozen=True, omit_defaults=True, tag="backend_token.retired"):
    """Another token took its place; this one is good until `ends_at`."""

    backend: str
    token_id: str
    ends_at: datetime


class TokenRevoked(Struct, frozen=True, omit_defaults=True, tag="backend_token.revoked"):
    """It is good for nothing any more."""

    backend: str
    token_id: str


AccessEvent = TokenIssued | TokenRetired | TokenRevoked
ACCESS_CODEC: Final[CommitCodec[AccessEvent]] = CommitCodec(AccessEvent)


class Token(Struct):
    """One token as its record tells it."""

    token_id: str
    sha256: str
    issued_at: datetime
    issued_by: str
    ends_at: datetime | None = None
    revoked_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.ends_at is None or now < self.ends_at)


class BackendAccess(Struct):
    """Every token that there ever was, by backend, the oldest first. Changed in place by `fold`; owned by one service."""

    tokens: dict[str, list[Token]] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    """Of the last record of each backend: what the next write expects to stand behind."""

    def fold(self, event: AccessEvent, actor: str, at: datetime) -> None:
        known = self.tokens.setdefault(event.backend, [])
        if isinstance(event, TokenIssued):
            known.append(Token(event.token_id, event.sha256, at, actor))
            return
        for token in known:
            if token.token_id != event.token_id:
                continue
            if isinstance(event, TokenRetired):
                token.ends_at = event.ends_at
            else:
                token.revoked_at = at

    def valid(self, backend: str, now: datetime) -> list[Token]:
        """The newest last."""
        return [token for token in self.tokens.get(backend, ()) if token.valid(now)]

    def of(self, text: str, now: datetime) -> tuple[str, Token]:
        """Backend and record of the token that somebody shows. Rejected with what is wrong with it."""
        backend = backend_of(text)
        shown = digest(text)
        for token in self.tokens.get(backend, ()):
            if hmac.compare_digest(token.sha256, shown):
                if token.revoked_at is not None:
                    raise _refused("token_revoked", f"token {token.token_id} of backend {backend} was revoked")
                if not token.valid(now):
                    raise _refused("token_retired", f"token {token.token_id} of backend {backend} was replaced")
                return backend, token
        raise _refused("token_unknown", f"no token of backend {backend} is this one")


def make_token(backend: str, secret: str) -> str:
    """`secret` is 64 hex digits of a cryptographic random source."""
    return f"osmo_{backend}_{secret}"


def backend_of(token: str) -> str:
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise _refused("token_malformed", "this is no token of an agent")
    return found[1]


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def token_id(token: str) -> str:
    """Short, and the same for the same token."""
    return digest(token)[:12]


def check_backend_name(name: str) -> None:
    if not BACKEND_NAME.fullmatch(name):
        raise Rejected(
            "backend.name",
            f"{name[:100]!r} cannot be a backend's name: lower-case letters, digits and hyphens, a letter first, no hyphen last, at most 63.",
        )


def decide_issue(access: BackendAccess, backend: str, token: str, now: datetime) -> list[AccessEvent]:
    """One more token for a backend that has room for it."""
    valid = access.valid(backend, now)
    if len(valid) >= TOKENS_AT_ONCE:
        raise Rejected(
            "backend.too_many_tokens",
            f"Backend {backend} has {len(valid)} valid tokens ({', '.join(one.token_id for one in valid)}): revoke one.",
            http_status=409,
        )
    return [TokenIssued(backend, token_id(token), digest(token))]


def decide_rotate(access: BackendAccess, backend: str, token: str, now: datetime, until: datetime) -> list[AccessEvent]:
    """A new token; the one before it is good until then, older ones no more."""
    events: list[AccessEvent] = [TokenIssued(backend, token_id(token), digest(token))]
    valid = access.valid(backend, now)
    events += [TokenRevoked(backend, one.token_id) for one in valid[:-1]]
    if valid:
        last = valid[-1]
        ends = until if last.ends_at is None else min(until, last.ends_at)
        events.append(TokenRetired(backend, last.token_id, ends))
    return events


def decide_revoke(access: BackendAccess, backend: str, wanted: str, now: datetime) -> list[AccessEvent]:
    """The token of this id; every valid one where `wanted` is empty. Revoking again changes nothing."""
    known = access.tokens.get(backend, [])
    if wanted and all(token.token_id != wanted for token in known):
        raise Rejected("backend.unknown_token", f"Backend {backend} has no token {wanted[:100]}.", http_status=404)
    return [
        TokenRevoked(backend, token.token_id) for token in known if token.valid(now) and wanted in ("", token.token_id)
    ]


def _refused(code: str, message: str) -> Rejected:
    return Rejected(f"backend.{code}", message, http_status=403)


class Skew(StrEnum):
    """How an agent's version stands to the control plane's."""

    SAME = "same"
    NEAR = "near"
    """At most one minor version apart: supported."""
    FAR = "far"
    """The same major version, further apart: it works as far as is known, and nobody tests it."""
    FOREIGN = "foreign"
    """Another major version, or no version at all: not let in."""


def skew(ours: str, theirs: str) -> Skew:
    if ours == theirs:
        return Skew.SAME
    here, there = _numbers(ours), _numbers(theirs)
    if here is None or there is None or here[0] != there[0]:
        return Skew.FOREIGN
    return Skew.NEAR if abs(here[1] - there[1]) <= 1 else Skew.FAR


def check_version(ours: str, theirs: str) -> None:
    """Rejected where an agent of that version cannot work with us."""
    if skew(ours, theirs) is Skew.FOREIGN:
        raise Rejected(
            "backend.version",
            f"this agent is version {theirs[:40]!r} and the control plane {ours}: both must be of the same major version.",
            http_status=409,
        )


def _numbers(version: str) -> tuple[int, int] | None:
    found = re.match(r"(\d{1,6})\.(\d{1,6})(\.|$)", version)
    return (int(found[1]), int(found[2])) if found else None
