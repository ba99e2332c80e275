"""The HTTP client for tools and tests: one session, a deadline on every wait (style P27), answers decoded into the types of `http`."""

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
import msgspec

from osmo_api import http

T = TypeVar("T")
Params = Mapping[str, str | int | float | bool | Sequence[str] | None]

_CALL = aiohttp.ClientTimeout(total=60, sock_connect=10, sock_read=60)
_STREAM = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=None)


class RefusedCall(Exception):
    """The server answered with something other than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"HTTP {status}: {body[:500].decode(errors='replace')}")
        self.status = status
        self.body = body

    @property
    def error(self) -> http.ErrorAnswer:
        """The body as a refusal; raises msgspec.DecodeError where it is none."""
        return msgspec.json.decode(self.body, type=http.ErrorAnswer)


class ApiClient:
    """Made by `open_client`. Paths are those of the API, without the host."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(self, method: str, path: str, params: Params | None = None, body: object = None) -> bytes:
        """The body of a 200 answer; raises RefusedCall for any other."""
        data = io.BytesIO(msgspec.json.encode(body)) if body is not None else None
        headers = {"Content-Type": "application/json"}
        async with self._session.request(
            method, path, params=_pairs(params), data=data, headers=headers, timeout=_CALL
        ) as answer:
            content = await answer.read()
            if answer.status != 200:
                raise RefusedCall(answer.status, content)
            return content

    async def get(self, kind: type[T], path: str, params: Params | None = None) -> T:
        return msgspec.json.decode(await self.call("GET", path, params), type=kind)

    async def post(self, kind: type[T], path: str, params: Params | None = None, body: object = None) -> T:
        return msgspec.json.decode(await self.call("POST", path, params, body), type=kind)

    async def submit(self, pool: str, body: http.SubmitBody, params: Params | None = None) -> http.SubmitAnswer:
        return await self.post(http.SubmitAnswer, f"/api/pool/{pool}/workflow", params, body)

    async def workflow(self, name: str, *, verbose: bool = False) -> http.WorkflowAnswer:
        return await self.get(http.WorkflowAnswer, f"/api/workflow/{name}", {"verbose": verbose})

    async def workflows(self, params: Params | None = None) -> http.WorkflowListAnswer:
        return await self.get(http.WorkflowListAnswer, "/api/workflow", params)

    async def tasks(self, params: Params | None = None) -> http.TaskListAnswer:
        return await self.get(http.TaskListAnswer, "/api/task", params)

    async def cancel(self, name: str, *, message: str | None = None, force: bool = False) -> http.CancelAnswer:
        params = {"message": message, "force": force}
        return await self.post(http.CancelAnswer, f"/api/workflow/{name}/cancel", params)

    async def lines(self, path: str, params: Params | None = None) -> AsyncIterator[str]:
        """The lines of a stream (logs, events) as they come, without their ends; close the iterator to leave."""
        async with self._session.get(path, params=_pairs(params), timeout=_STREAM) as answer:
            if answer.status != 200:
                raise RefusedCall(answer.status, await answer.read())
            buffer = b""
            async for chunk in answer.content.iter_any():
                *complete, buffer = (buffer + chunk).split(b"\n")
                for line in complete:
                    yield line.decode(errors="replace")
            if buffer:
                yield buffer.decode(errors="replace")


@asynccontextmanager
async def open_client(base_url: str, *, user: str = "", limit_per_host: int = 100) -> AsyncIterator[ApiClient]:
    """A client of the server at `base_url`, as `user` (dev login) when one is given."""
    headers = {"x-osmo-user": user} if user else {}
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=limit_per_host)
    async with aiohttp.ClientSession(base_url, headers=headers, connector=connector, timeout=_CALL) as session:
        yield ApiClient(session)


def _pairs(params: Params | None) -> list[tuple[str, str]]:
    """Repeated keys for lists, `True`/`False` for booleans, nothing for None."""
    pairs: list[tuple[str, str]] = []
    for key, value in (params or {}).items():
        if value is None:
            continue
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        pairs += [(key, str(item)) for item in values]
    return pairs
