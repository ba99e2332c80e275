"""One connection to one API server: JSON over HTTP as bytes in and out, without the library's models (they cost memory and time by the pod)."""

import asyncio
import io
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException

from osmo_domain.errors import Rejected, Transient
from osmo_kube.errors import LIBRARY_ERRORS, Answer, Unauthorized, translate
from osmo_kube.rate import Rate

Json = dict[str, Any]
Query = Mapping[str, str | int]

JSON: Final = "application/json"
MERGE: Final = "application/merge-patch+json"
STRATEGIC_MERGE: Final = "application/strategic-merge-patch+json"

NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""To be accepted for a list: the metadata of its objects, without what they hold."""

_Forms = tuple[str, str]
"""Of what we send, and of what we want."""

_PAUSES: Final = 5
_LARGE: Final = 1 << 19
_TOO_MANY: Final = 429
_LONGEST_PAUSE_S: Final = 30.0
_CONNECT_S: Final = 10.0


class KubeApi:
    """`renew` reads the credentials again: called when the API server does not accept those that we have."""

    def __init__(
        self,
        configuration: Configuration,
        session: aiohttp.ClientSession,
        renew: Callable[[], Awaitable[None]],
        rng: random.Random,
        rate: Rate | None = None,
    ) -> None:
        self._configuration = configuration
        self._session = session
        self._renew = renew
        self._rng = rng
        self._rate = rate or Rate(at_once=32, per_s=400, burst=400)

    async def get(self, path: str, query: Query | None = None, *, within_s: float = 30) -> Json:
        answer: Json = msgspec.json.decode(await self.call("GET", path, query=query, within_s=within_s))
        return answer

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Query | None = None,
        content: str = JSON,
        accept: str = JSON,
        within_s: float = 30,
    ) -> bytes:
        """The answer's body. Raises what `translate` makes of a failure.

        Where the API server is busy (429: it has done nothing) we wait as it asks and try again, a few times; where it does not accept our
        credentials we read them again and try once more.
        """
        renewed, pauses = False, 0
        while True:
            answer = await self._once(method, path, body, query, (content, accept), within_s)
            if isinstance(answer, bytes):
                return answer
            error = translate(answer, f"{method} {path}")
            if isinstance(error, Unauthorized) and not renewed:
                renewed = True
                await self._renew_or_raise(error)
            elif answer.status == _TOO_MANY and pauses < _PAUSES and isinstance(error, Transient):
                pauses += 1
                await asyncio.sleep(min(_LONGEST_PAUSE_S, error.delay_s) * (1 + self._rng.random()))
            else:
                raise error

    async def _renew_or_raise(self, error: Unauthorized) -> None:
        """What holds the credentials may be half written at this moment."""
        try:
            await self._renew()
        except Rejected as unreadable:
            raise error from unreadable

    @asynccontextmanager
    async def lines(
        self, path: str, query: Query, *, silent_s: float, within_s: float
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """The lines of an answer that does not end soon, as they come in. Breaks when nothing comes for `silent_s`, and after `within_s`."""
        timeout = aiohttp.ClientTimeout(total=within_s, sock_connect=_CONNECT_S, sock_read=silent_s)
        response = await self._open("GET", path, None, query, (JSON, JSON), timeout)
        try:
            if response.status >= 300:
                raise translate(await _refusal(response), f"watch {path}")
            yield _lines(response, path)
        finally:
            response.close()

    async def _once(
        self, method: str, path: str, body: Json | None, query: Query | None, forms: _Forms, within_s: float
    ) -> bytes | Answer:
        timeout = aiohttp.ClientTimeout(total=within_s, sock_connect=_CONNECT_S)
        async with self._rate.turn():
            response = await self._open(method, path, body, query, forms, timeout)
            try:
                return await response.read() if response.status < 300 else await _refusal(response)
            except LIBRARY_ERRORS as error:
                raise translate(error, f"{method} {path}") from error
            finally:
                response.release()

    async def _open(
        self,
        method: str,
        path: str,
        body: Json | None,
        query: Query | None,
        forms: _Forms,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        what = f"{method} {path}"
        headers = {"Content-Type": forms[0], "Accept": forms[1], "User-Agent": "osmo", **await self._proofs(what)}
        try:
            return await self._session.request(
                method,
                f"{self._configuration.host}{path}",
                params=query,
                headers=headers,
                data=_payload(body) if body is not None else None,
                timeout=timeout,
                server_hostname=self._configuration.tls_server_name or None,
            )
        except LIBRARY_ERRORS as error:
            raise translate(error, what) from error

    async def _proofs(self, what: str) -> dict[str, str]:
        """Who we are, as headers. The file of a token is read again now and then, and may be away while it is replaced."""
        try:
            proofs = (await self._configuration.auth_settings()).values()
        except (OSError, ConfigException) as error:
            raise Transient(f"{what}: the credentials cannot be read now: {error}") from error
        return {proof["key"]: proof["value"] or "" for proof in proofs}


def _payload(body: Json) -> bytes | io.BytesIO:
    """Large ones as a file, which goes out in pieces."""
    encoded = msgspec.json.encode(body)
    return encoded if len(encoded) < _LARGE else io.BytesIO(encoded)


async def _refusal(response: aiohttp.ClientResponse) -> Answer:
    return Answer(response.status, await response.read(), response.headers.get("Retry-After", ""))


async def _lines(response: aiohttp.ClientResponse, path: str) -> AsyncIterator[list[bytes]]:
    """Cut by hand: the library's `readline` fails on lines that are longer than its buffer."""
    rest: list[bytes] = []
    try:
        async for chunk in response.content.iter_any():
            *whole, last = chunk.split(b"\n")
            if whole:
                whole[0] = b"".join([*rest, whole[0]])
                rest = []
                yield [line for line in whole if line]
            rest.append(last)
    except LIBRARY_ERRORS as error:
        raise translate(error, f"watch {path}") from error
