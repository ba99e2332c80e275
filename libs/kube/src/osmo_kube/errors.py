"""What the API server answers, and what its client raises, in the words of the house. The only function that knows both sides."""

import re
from dataclasses import dataclass
from typing import Final

import aiohttp
import msgspec
from msgspec import Struct

from osmo_domain.errors import Rejected, Stale, Transient

LIBRARY_ERRORS: Final = (aiohttp.ClientError, TimeoutError, OSError)
"""All that a call of the client may raise; whoever catches these hands them to `translate`."""

_NOT_ALLOWED: Final = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)"| at the cluster scope)?'
)
_LATER_S: Final = 1.0


class NotFound(Rejected):
    """There is no such object."""


class NotAllowed(Rejected):
    """The agent's account lacks a right. Whoever administers the cluster can give it: nothing is wrong with the object."""


class AlreadyThere(Stale):
    """An object of this name exists."""


class Expired(Stale):
    """The API server does not remember as far back as was asked for: list again."""


class Unauthorized(Transient):
    """The API server does not know who asks: a token that ran out, was revoked, or is about to be replaced."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API server that is no success."""

    status: int
    body: bytes
    retry_after: str = ""


class Status(Struct):
    """The `Status` object of such an answer."""

    reason: str = ""
    message: str = ""
    code: int = 0


def translate(failure: Answer | Exception, what: str) -> Exception:
    """The error to raise instead, `from` the failure where that is an exception. After a Transient the outcome of a write is unknown."""
    if isinstance(failure, Answer):
        return _answered(failure, what)
    if isinstance(failure, TimeoutError):
        return Transient(f"{what}: the API server did not answer in time")
    return Transient(f"{what}: the API server cannot be reached: {failure or type(failure).__name__}")


def _answered(answer: Answer, what: str) -> Exception:
    status = read_status(answer.body)
    said = f"{what}: {status.message or f'the API server answered {answer.status}'}"
    match answer.status:
        case 401:
            return Unauthorized(f"{what}: the API server does not accept the agent's credentials", delay_s=_LATER_S)
        case 403:
            return _forbidden(status, said)
        case 404:
            return NotFound("kube.not_found", said, error_code="NOTFOUND", http_status=404)
        case 409:
            return AlreadyThere(said) if status.reason == "AlreadyExists" else Stale(said)
        case 410:
            return Expired(said)
        case 429:
            return Transient(f"{what}: the API server is busy", delay_s=_seconds(answer.retry_after))
        case code if code >= 500:
            return Transient(said, delay_s=_seconds(answer.retry_after))
        case code:
            return Rejected("kube.refused", status.message or said, error_code="BACKEND", http_status=code)


def _forbidden(status: Status, said: str) -> Exception:
    """A missing right, or an admission that says no (a quota, a policy): Kubernetes calls both Forbidden."""
    found = _NOT_ALLOWED.search(status.message)
    if found is None:
        return Rejected("kube.refused", status.message or said, error_code="BACKEND", http_status=403)
    words = in_words(found["verb"], found["resource"], found["group"], found["namespace"] or "")
    return NotAllowed("kube.not_allowed", f"the agent may not {words} ({found['user']})", http_status=403)


def in_words(verb: str, resource: str, group: str, namespace: str) -> str:
    """`create pods` in namespace osmo."""
    of_group = f" of API group {group}" if group else ""
    where = f"in namespace {namespace}" if namespace else "in the whole cluster"
    return f"`{verb} {resource}`{of_group} {where}"


def read_status(body: bytes) -> Status:
    """What the body says; nothing where it is no Status."""
    try:
        return msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        return Status(message=body[:300].decode("utf-8", "replace").strip())


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdigit() else _LATER_S
