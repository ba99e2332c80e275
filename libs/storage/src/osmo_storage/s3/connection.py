"""A client of one S3-compatible server, and requests that are made again when they fail in a way that may pass."""

import asyncio
import functools
import ipaddress
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import UNSIGNED
from botocore.loaders import Loader, create_loader

from osmo_storage.access import StorageAccess
from osmo_storage.pace import Pace
from osmo_storage.s3.budget import Budget
from osmo_storage.s3.errors import LIBRARY_ERRORS, UploadLost, translate
from osmo_storage.stored import StorageError, StorageRefused
from osmo_storage.uri import S3Location

DEFAULT_REGION: Final = "us-east-1"

Style = Literal["path", "virtual", "auto"]
Answer = TypeVar("Answer")

_NO_FILE: Final = (None, None, "/dev/null", None)
_NOT_SET: Final = (None, None, None, None)
_NOTHING_FROM_OUTSIDE: Final = {"profile": _NOT_SET, "config_file": _NO_FILE, "credentials_file": _NO_FILE}


class Connection:
    """One place, through one client, for the time of one transfer."""

    def __init__(self, client: Any, location: S3Location, pace: Pace, rng: random.Random) -> None:
        self.client = client
        self.location = location
        self.bucket = location.bucket
        self.pace = pace
        self.memory = Budget(pace.memory_bytes)
        self._rng = rng

    def name(self, key: str) -> str:
        """What an object is called when it is spoken of."""
        return f"s3://{self.bucket}/{key}" if key else f"s3://{self.bucket}"

    async def request(self, what: str, ask: Callable[[], Awaitable[Answer]], *, size: int = 0) -> Answer:
        """The answer, after as many attempts as the pace allows. Raises StorageError; its subclasses after the first attempt already."""
        for attempt in range(self.pace.attempts):
            try:
                return await self.once(what, ask, size=size)
            except (StorageRefused, UploadLost):
                raise
            except StorageError:
                if attempt + 1 == self.pace.attempts:
                    raise
            await self.pause(attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def once(self, what: str, ask: Callable[[], Awaitable[Answer]], *, size: int = 0) -> Answer:
        try:
            async with asyncio.timeout(self.pace.deadline_s(size)):
                return await ask()
        except (*LIBRARY_ERRORS, ValueError) as error:
            raise translate(error, what) from error

    async def pause(self, attempt: int) -> None:
        longest = min(self.pace.longest_pause_s, self.pace.first_pause_s * 2.0**attempt)
        await asyncio.sleep(longest * self._rng.uniform(0.5, 1))


@asynccontextmanager
async def connected(
    location: S3Location, access: StorageAccess, pace: Pace, rng: random.Random
) -> AsyncIterator[Connection]:
    keys = access.keys_for(location)
    if not _has_keys(keys) and (keys.get("access_key_id") or keys.get("access_key")):
        raise StorageRefused(f"{location}: its keys are not complete", "storage.bad_keys")
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(await _client(keys, access.ambient, pace))
        except (*LIBRARY_ERRORS, ValueError) as error:
            raise translate(error, str(location)) from error
        yield Connection(client, location, pace, rng)


async def _client(keys: Mapping[str, str], ambient: bool, pace: Pace) -> Any:
    """A client context that is not entered yet."""
    session = AioSession(session_vars=None if ambient else _NOTHING_FROM_OUTSIDE)
    session.register_component("data_loader", _loader())
    signed = _has_keys(keys) or (ambient and await session.get_credentials() is not None)
    url = keys.get("override_url", "")
    config = AioConfig(
        signature_version="s3v4" if signed else UNSIGNED,
        s3={"addressing_style": addressing_style(url, keys.get("addressing_style", ""))},
        connect_timeout=pace.connect_s,
        read_timeout=pace.deadline_s(pace.part_bytes),
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=pace.at_once,
        ignore_configured_endpoint_urls=not ambient,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.create_client(
        "s3",
        region_name=keys.get("region") or (None if ambient else DEFAULT_REGION) or _region(session),
        endpoint_url=url or None,
        aws_access_key_id=keys.get("access_key_id") if _has_keys(keys) else None,
        aws_secret_access_key=keys.get("access_key") if _has_keys(keys) else None,
        config=config,
    )


def _has_keys(keys: Mapping[str, str]) -> bool:
    return bool(keys.get("access_key_id")) and bool(keys.get("access_key"))


def _region(session: AioSession) -> str:
    return str(session.get_config_variable("region") or DEFAULT_REGION)


@functools.cache
def _loader() -> Loader:
    """What describes the S3 API: read once in the life of a process."""
    return create_loader()


def addressing_style(override_url: str, written: str) -> Style:
    """Where the bucket's name goes: into the host (`virtual`) or the path. As written; where nothing is, into the host, as the reference has it,
    unless the server's address has room for no further name: an IP address, a single word, a name inside of a cluster."""
    if written in ("path", "virtual", "auto"):
        return written  # type: ignore[return-value]
    if not override_url:
        return "auto"
    host = urlsplit(override_url).hostname or ""
    return (
        "path" if _is_address(host) or "." not in host or host.endswith((".svc", ".local", ".internal")) else "virtual"
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
