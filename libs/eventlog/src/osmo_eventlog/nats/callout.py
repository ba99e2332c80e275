"""What nats-server asks about a client that wants to come in (auth callout, ADR-26), and our answer: JWTs, signed with the issuer's nkey.

The server that asks knows the issuer's public key from its own configuration, and checks what we sign against it.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
import nkeys

from osmo_domain.errors import Poison
from osmo_eventlog.agent_rights import AGENTS, Rights

_HEADER: Final = {"typ": "JWT", "alg": "ed25519-nkey"}


@dataclass(frozen=True, slots=True)
class Caller:
    """A client at the door. `user_key` is the key that the server made for it, `server_id` the server that asks."""

    user_key: str
    server_id: str
    name: str
    host: str
    token: str = field(repr=False)


class _ServerId(msgspec.Struct):
    id: str


class _ClientInfo(msgspec.Struct):
    host: str = ""
    name: str = ""


class _ConnectOptions(msgspec.Struct):
    auth_token: str = ""


class _Asked(msgspec.Struct):
    server_id: _ServerId
    user_nkey: str
    client_info: _ClientInfo
    connect_opts: _ConnectOptions


class _Claims(msgspec.Struct):
    nats: _Asked


_CLAIMS: Final = msgspec.json.Decoder(_Claims)


def read_caller(data: bytes) -> Caller:
    """Poison where this is no question of a server. It came over the services' account, where only servers ask it: its signature is not checked."""
    try:
        _, body, _ = data.decode().split(".")
        asked = _CLAIMS.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))).nats
    except (ValueError, msgspec.MsgspecError) as error:
        raise Poison(f"no question about a client: {error}") from error
    info = asked.client_info
    return Caller(asked.user_nkey, asked.server_id.id, info.name, info.host, asked.connect_opts.auth_token)


class Issuer:
    """Signs with the seed of an account's nkey; whose public half stands in the server's configuration."""

    def __init__(self, seed: str) -> None:
        try:
            self._key = nkeys.from_seed(seed.strip().encode())
        except nkeys.NkeysError as error:
            raise ValueError(f"not the seed of an nkey ({type(error).__name__})") from error
        self.public = str(self._key.public_key.decode())

    def __repr__(self) -> str:
        return f"Issuer({self.public})"

    def let_in(self, caller: Caller, *, name: str, rights: Rights, now: datetime, until: datetime) -> bytes:
        """The client is an agent with these rights, until then."""
        user = {
            "aud": AGENTS,
            "exp": int(until.timestamp()),
            "name": name,
            "sub": caller.user_key,
            "nats": {
                "pub": {"allow": list(rights.publish)},
                "sub": {"allow": list(rights.subscribe)},
                "subs": -1,
                "data": -1,
                "payload": -1,
                "type": "user",
                "version": 2,
            },
        }
        return self._answer(caller, now, {"jwt": self._signed(user, now)})

    def turn_away(self, caller: Caller, reason: str, *, now: datetime) -> bytes:
        """The reason goes into the server's log; the client is only told that it may not come in."""
        return self._answer(caller, now, {"error": reason})

    def _answer(self, caller: Caller, now: datetime, said: dict[str, str]) -> bytes:
        claims = {
            "aud": caller.server_id,
            "sub": caller.user_key,
            "nats": {**said, "type": "authorization_response", "version": 2},
        }
        return self._signed(claims, now).encode()

    def _signed(self, claims: dict[str, Any], now: datetime) -> str:
        whole = {**claims, "iss": self.public, "iat": int(now.timestamp()), "jti": ""}
        whole["jti"] = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
        text = f"{_encoded(_HEADER)}.{_encoded(whole)}"
        return f"{text}.{_base64(self._key.sign(text.encode()))}"


def new_issuer_seed() -> str:
    """A new account nkey, as text."""
    return str(nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_ACCOUNT).decode())


def _encoded(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
