"""From what the SDK raises to what we say: the one place that knows its errors. No text of ours holds a key."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from osmo_storage.stored import StorageError, StorageRefused

LIBRARY_ERRORS: Final = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, TimeoutError, asyncio.TimeoutError)
"""OSError: what a broken connection raises."""


class UploadLost(StorageError):
    """The server knows nothing of this multipart upload (any more)."""


_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "NoSuchBucket": ("storage.no_bucket", "there is no such bucket"),
    "InvalidBucketName": ("storage.no_bucket", "that is no name of a bucket"),
    "PermanentRedirect": ("storage.no_bucket", "the bucket is in another region, or of another server"),
    "301": ("storage.no_bucket", "the bucket is in another region, or of another server"),
    "AccessDenied": ("storage.access_denied", "access denied"),
    "AllAccessDisabled": ("storage.access_denied", "access is disabled"),
    "AccountProblem": ("storage.access_denied", "there is a problem with the account"),
    "403": ("storage.access_denied", "access denied"),
    "InvalidAccessKeyId": ("storage.bad_keys", "the server does not know the access_key_id"),
    "SignatureDoesNotMatch": ("storage.bad_keys", "the access_key does not belong to the access_key_id"),
    "AuthorizationHeaderMalformed": (
        "storage.bad_keys",
        "the server does not take the signature: is the region right?",
    ),
    "InvalidToken": ("storage.bad_keys", "the server does not take the token"),
    "ExpiredToken": ("storage.bad_keys", "the token has expired"),
    "InvalidClientTokenId": ("storage.bad_keys", "the server does not know the access_key_id"),
    "RequestTimeTooSkewed": ("storage.bad_keys", "the clocks of this machine and of the server differ too much"),
    "NoSuchKey": ("storage.no_object", "there is no such object"),
    "404": ("storage.no_object", "there is no such object"),
    "KeyTooLongError": ("storage.bad_key", "the key is too long"),
    "EntityTooLarge": ("storage.refused", "the object is too large for the server"),
}
_PASSING: Final = frozenset(
    {
        "BadDigest",
        "RequestTimeout",
        "IncompleteBody",
        "Throttling",
        "SlowDown",
        "PreconditionFailed",
        "OperationAborted",
    }
)
_PASSING_STATUS: Final = frozenset({408, 409, 412, 425, 429})


def translate(error: BaseException, what: str) -> StorageError:
    """`what` names the object and what was done with it."""
    match error:
        case ClientError():
            return _answered(error.response, what)
        case ParamValidationError():
            return StorageRefused(f"{what}: the name is not allowed", "storage.bad_key")
        case NoCredentialsError() | PartialCredentialsError():
            return StorageRefused(f"{what}: there are no keys for it", "storage.bad_keys")
        case EndpointConnectionError() | ConnectTimeoutError():
            return StorageError(f"{what}: the server cannot be reached", "storage.unreachable")
        case ReadTimeoutError() | TimeoutError() | asyncio.TimeoutError():
            return StorageError(f"{what}: the server does not answer in time", "storage.unreachable")
        case HTTPClientError() | aiohttp.ClientError() | OSError():
            return StorageError(f"{what}: the connection broke ({type(error).__name__})", "storage.unreachable")
        case ValueError():
            return StorageRefused(f"{what}: override_url or region is wrong", "storage.bad_keys")
        case _:
            return StorageError(f"{what}: {type(error).__name__}")


def _answered(response: Mapping[str, Any], what: str) -> StorageError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchUpload":
        return UploadLost(f"{what}: the server has lost the parts that it was given")
    if code in _REFUSED:
        stable, words = _REFUSED[code]
        return StorageRefused(f"{what}: {words}", stable)
    if code in _PASSING or status in _PASSING_STATUS or not 400 <= status < 500:
        return StorageError(f"{what}: the server failed ({code or status})")
    return StorageRefused(f"{what}: the server refuses it ({code or status})", "storage.refused")
