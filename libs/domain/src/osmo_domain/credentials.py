"""Credentials of users: what is kept of them in the log, what a user has at present, and what a task gets of them.

The log holds a payload only as ciphertext (osmo_data.credentials.envelope); everything else about it is in the clear. Whoever adds a field
here asks first whether everybody who can read the log may know it.
"""

import posixpath
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from osmo_domain.commit import CommitCodec
from osmo_domain.errors import Rejected

Uses = Mapping[str, str | Mapping[str, str]]
"""What a task says of credentials: each by its name, with a directory, or with variables and the payload keys that fill them."""

Payload = Mapping[str, str]


class CredentialType(StrEnum):
    GENERIC = "GENERIC"
    REGISTRY = "REGISTRY"
    DATA = "DATA"


class CredentialSet(Struct, frozen=True, omit_defaults=True, tag="credential.set"):
    """The user's credential of this name is now this one. `profile` is what it is for: a registry, a place in storage, or nothing special.

    `wrapped_key` is the data key of this payload, encrypted with the installation's key `key_id`; `nonce` and `ciphertext` are the payload,
    encrypted with the data key. Both are bound to user and name.
    """

    user: str
    name: str
    kind: CredentialType
    key_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes
    profile: str | None = None


class CredentialDeleted(Struct, frozen=True, omit_defaults=True, tag="credential.deleted"):
    user: str
    name: str


CredentialEvent = CredentialSet | CredentialDeleted

CREDENTIAL_KIND: Final = "credential"
"""The kind of these objects on the CONFIG stream."""

CREDENTIAL_CODEC: CommitCodec[CredentialEvent] = CommitCodec(CredentialEvent)


def credential_object(user: str, name: str) -> str:
    """The name of a credential's object on the CONFIG stream: whatever a user may be called, and fit for a subject.

    Two credentials never share one: each part is percent-encoded, and `/` stands between them.
    """
    return f"{_encoded(user)}/{_encoded(name)}"


def _encoded(text: str) -> str:
    return quote(text, safe="").replace(".", "%2E").replace("~", "%7E")


class CredentialBook:
    """The credentials that exist, folded from all events in their order. Owned by one service and changed in place."""

    def __init__(self) -> None:
        self._owned: dict[str, dict[str, CredentialSet]] = {}

    def apply(self, event: CredentialEvent) -> None:
        """A new one takes the place of that of its name, and of that for the same profile, whatever its name."""
        owned = self._owned.setdefault(event.user, {})
        owned.pop(event.name, None)
        if isinstance(event, CredentialSet):
            for other in [each for each in owned.values() if _same_purpose(each, event.kind, event.profile)]:
                del owned[other.name]
            owned[event.name] = event

    def get(self, user: str, name: str) -> CredentialSet | None:
        return self._owned.get(user, {}).get(name)

    def of(self, user: str) -> list[CredentialSet]:
        """By type backwards, then by name: as the wire lists them."""
        by_name = sorted(self._owned.get(user, {}).values(), key=lambda each: each.name)
        return sorted(by_name, key=lambda each: each.kind, reverse=True)

    def check_name_free(self, user: str, name: str, kind: CredentialType, profile: str | None) -> None:
        """Rejected where the name belongs to a credential for something else, which is not replaced by mistake."""
        there = self.get(user, name)
        if there is None or (there.kind, there.profile) == (kind, profile):
            return
        what = f"a {there.kind} credential" + (f" for {there.profile}" if there.profile else "")
        raise Rejected(
            "credential.name_taken", f"The name {name} belongs to {what}: delete that first, or choose another name."
        )


def _same_purpose(one: CredentialSet, kind: CredentialType, profile: str | None) -> bool:
    return profile is not None and (one.kind, one.profile) == (kind, profile)


# What a task gets


def variables(uses: Uses, payloads: Mapping[str, Payload]) -> dict[str, str]:
    """The environment variables that the task asks for. KeyError for a credential or payload key that is not there."""
    return {
        variable: payloads[name][key]
        for name, use in uses.items()
        if not isinstance(use, str)
        for variable, key in use.items()
    }


def files(uses: Uses, payloads: Mapping[str, Payload]) -> dict[str, str]:
    """The files that the task asks for: path to content. KeyError for a credential that is not there, Rejected for an impossible name."""
    return {
        file_path(use, name, key): value
        for name, use in uses.items()
        if isinstance(use, str)
        for key, value in payloads[name].items()
    }


def needed(uses: Uses) -> Iterator[tuple[str, frozenset[str] | None]]:
    """Each credential with the payload keys that the task gets of it; None = all of them."""
    for name, use in uses.items():
        yield name, None if isinstance(use, str) else frozenset(use.values())


def directory_path(written: str) -> str:
    """A directory of a spec, absolute and plain."""
    return posixpath.normpath("/" + written.lstrip("/"))


def file_path(directory: str, credential: str, key: str) -> str:
    """Where the value of a payload key is put. Rejected for a key that is no name of a file."""
    if key in {"", ".", ".."} or "/" in key or "\0" in key:
        raise Rejected(
            "credential.no_file_name",
            f"The payload key {key!r} of credential {credential} cannot be the name of a file: use it as a variable.",
            error_code="CREDENTIAL",
        )
    return posixpath.join(directory_path(directory), key)
