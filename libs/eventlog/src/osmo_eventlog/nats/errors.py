"""What nats-py raises, in the words of the house. The only function that knows both."""

import asyncio

import nats.errors
import nats.js.errors

from osmo_domain.errors import Poison, Stale, Transient
from osmo_eventlog.nats.wire import ApiError

WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
"""The second one: another write on that subject is under way (replicated streams only)."""
STORE_REFUSED = 10077
_SERVER_ERRORS = 500
NO_MESSAGE = 10037
CONSUMER_NOT_FOUND = 10014
STREAM_NAME_IN_USE = 10058

LIBRARY_ERRORS = (nats.errors.Error, asyncio.TimeoutError, OSError)
"""All that a call into nats-py may raise; whoever catches these hands them to `translate`."""

_AWAY = (
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionDrainingError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.NoRespondersError,
    nats.errors.NoServersError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    nats.js.errors.NoStreamResponseError,
    nats.js.errors.ServiceUnavailableError,
    asyncio.TimeoutError,
    OSError,
)


class ApiRefusal(nats.errors.Error):
    """JetStream's own answer that it will not do it."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(f"{error.description} ({error.err_code})")
        self.code = error.code
        self.err_code = error.err_code


class StreamFull(Transient):
    """A stream is at its limit and refuses: trying again soon is of no use, a person should look."""


def translate(error: Exception, what: str) -> Exception:
    """The error to raise instead, `from error`. Stale and StreamFull are answers; any other Transient leaves the outcome unknown."""
    code = getattr(error, "err_code", None)
    if code in WRONG_LAST_SEQUENCE:
        return Stale(f"{what}: {error}")
    if code == STORE_REFUSED:
        return StreamFull(f"{what}: the stream refuses: {error}", delay_s=5)
    if isinstance(error, nats.errors.MaxPayloadError):
        return Poison(f"{what}: larger than a message may be")
    if isinstance(error, _AWAY) or (isinstance(error, ApiRefusal) and error.code >= _SERVER_ERRORS):
        return Transient(f"{what}: {error or type(error).__name__}")
    return RuntimeError(f"{what}: {error}")
