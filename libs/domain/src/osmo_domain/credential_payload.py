"""What a user may set as a credential: names, payloads, and the profile that follows from a payload."""

import re
from collections.abc import Mapping
from typing import Final

from osmo_domain.credentials import CredentialType, Payload
from osmo_domain.errors import Rejected
from osmo_domain.ids import NAME_PATTERN

LONGEST_NAME: Final = 200
MOST_PAYLOAD_BYTES: Final = 512 * 1024
"""Of keys and values together; what a Kubernetes Secret and a message of the log hold with room to spare."""

DOCKER_HUB: Final = "docker.io"

DOCKER_HUB_NAMES: Final = frozenset(
    {"", "docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)
_SCOPE: Final = re.compile(r"[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[a-zA-Z0-9._-]+)*")
_PART: Final = r"[^/,;*\s]+"
_ENDPOINT: Final = re.compile(rf"(?:(?:s3|gs|azure)://{_PART}|(?:tos|swift)://{_PART}/{_PART})(?:/{_PART})*")

_REQUIRED: Final[Mapping[CredentialType, tuple[str, ...]]] = {
    CredentialType.GENERIC: (),
    CredentialType.REGISTRY: ("registry", "username", "auth"),
    CredentialType.DATA: ("endpoint", "access_key_id", "access_key"),
}


def check_credential_name(name: str) -> None:
    if len(name) > LONGEST_NAME or not NAME_PATTERN.fullmatch(name):
        raise Rejected(
            "credential.name",
            f"{name[:80]!r} cannot be the name of a credential: a letter first, then letters, digits, `-` and `_`, "
            f"a letter or digit last, at most {LONGEST_NAME} characters.",
        )


def check_payload(kind: CredentialType, payload: Payload) -> None:
    """Messages name keys, never values."""
    for key in _REQUIRED[kind]:
        if key not in payload:
            raise Rejected("credential.missing_key", f"The payload of a {kind} credential needs {key}.")
    if not payload:
        raise Rejected("credential.empty", "The credential is empty: give it at least one key with its value.")
    if "" in payload:
        raise Rejected("credential.key", "A payload key cannot be empty.")
    if any("\0" in key or "\0" in value for key, value in payload.items()):
        raise Rejected("credential.nul", "Keys and values cannot hold the character NUL.")
    size = sum(len(text.encode()) for pair in payload.items() for text in pair)
    if size > MOST_PAYLOAD_BYTES:
        raise Rejected(
            "credential.too_large", f"The payload has {size} bytes; {MOST_PAYLOAD_BYTES} are allowed for a credential."
        )


def with_profile(kind: CredentialType, payload: Payload) -> tuple[dict[str, str], str | None]:
    """The payload with its place written in one way, and that place: registry scope, storage endpoint, or None."""
    match kind:
        case CredentialType.GENERIC:
            return dict(payload), None
        case CredentialType.REGISTRY:
            scope = registry_scope(payload["registry"])
            return {**payload, "registry": scope}, scope
        case CredentialType.DATA:
            endpoint = storage_profile(payload["endpoint"])
            return {**payload, "endpoint": endpoint}, endpoint


def registry_scope(written: str) -> str:
    """`host[:port][/path]`; nothing, and every name of Docker Hub, is `docker.io`."""
    text = re.sub(r"^https?://", "", written.strip()).rstrip("/")
    host, slash, path = text.partition("/")
    if path in {"v1", "v2"}:
        slash = path = ""
    host = host.lower()
    scope = f"{DOCKER_HUB if host in DOCKER_HUB_NAMES else host}{slash}{path}"
    if not _SCOPE.fullmatch(scope):
        raise Rejected("credential.registry", f"{written[:120]!r} is not a registry like nvcr.io or nvcr.io/org/team.")
    return scope


def storage_profile(written: str) -> str:
    """The endpoint of a DATA credential, without slashes at its end."""
    text = written.strip().rstrip("/")
    if re.match(r"https?://", text, re.IGNORECASE):
        raise Rejected(
            "credential.endpoint",
            "The endpoint is a place in storage like s3://bucket; the address of the server goes into override_url.",
        )
    if not _ENDPOINT.fullmatch(text):
        raise Rejected(
            "credential.endpoint",
            f"{written[:120]!r} is not a place in storage like s3://bucket, gs://bucket, azure://account, "
            "tos://host/bucket or swift://host/namespace.",
        )
    return text
