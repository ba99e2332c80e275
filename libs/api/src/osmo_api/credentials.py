"""Requests and answers of `/api/credentials`. A `repr` of a request shows no value."""

from typing import Literal

from msgspec import Struct


class _Payload(Struct, frozen=True, forbid_unknown_fields=True):
    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class GenericCredential(_Payload, frozen=True, forbid_unknown_fields=True):
    credential: dict[str, str]


class RegistryCredential(_Payload, frozen=True, forbid_unknown_fields=True):
    """`password` is another name for `auth`; one of them is there. `registry` empty is Docker Hub."""

    registry: str = ""
    username: str = ""
    auth: str | None = None
    password: str | None = None


class DataCredential(_Payload, frozen=True, forbid_unknown_fields=True):
    endpoint: str
    access_key_id: str
    access_key: str
    region: str | None = None
    override_url: str | None = None
    addressing_style: Literal["virtual", "path", "auto"] | None = None


class CredentialBody(Struct, frozen=True):
    """Exactly one of them is set."""

    generic_credential: GenericCredential | None = None
    registry_credential: RegistryCredential | None = None
    data_credential: DataCredential | None = None


class CredentialListEntry(Struct, frozen=True):
    cred_name: str
    cred_type: str
    profile: str | None = None


class CredentialsAnswer(Struct, frozen=True):
    credentials: list[CredentialListEntry]
