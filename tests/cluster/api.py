"""The least client of the Kubernetes API that a test needs: JSON over HTTP with a token."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Self

import aiohttp

Json = dict[str, Any]
POLL_S = 0.05


class Refused(Exception):
    """The API server said no: `status` is HTTP's number, `reason` Kubernetes' word."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason


class Api:
    """One person's connection to one API server. Paths are Kubernetes' own: `/api/v1/namespaces/...`."""

    def __init__(self, server: str, trust: ssl.SSLContext, token: str) -> None:
        self._server = server
        self._trust = trust
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=64),
            timeout=aiohttp.ClientTimeout(total=30),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def text(self, path: str) -> str:
        assert self._session is not None
        async with self._session.get(self._server + path) as response:
            text = await response.text()
            if response.status >= 400:
                raise Refused(response.status, response.reason or "", text)
            return text

    async def call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        """The answer's JSON. Raises `Refused`, or what aiohttp raises when nobody answers."""
        assert self._session is not None
        sent = {"json": body, "headers": {"Content-Type": content}} if body is not None else {}
        async with self._session.request(method, self._server + path, **sent) as response:
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise Refused(response.status, str(answer.get("reason", "")), str(answer.get("message", answer)))
            return answer

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)

    async def create(self, path: str, body: Json) -> Any:
        return await self.call("POST", path, body)

    async def patch(self, path: str, body: Json) -> Any:
        """A strategic merge, as `kubectl patch` does it."""
        return await self.call("PATCH", path, body, "application/strategic-merge-patch+json")

    async def delete(self, path: str, **options: Any) -> Any:
        return await self.call("DELETE", path, options or None)

    async def until(self, path: str, condition: Callable[[Any], Any], within_s: float = 30) -> Any:
        """The object at this path, once the condition holds of it; it may be missing until then."""
        last: Any = None
        try:
            async with asyncio.timeout(within_s):
                while True:
                    try:
                        last = await self.get(path)
                    except Refused as refused:
                        if refused.status != 404:
                            raise
                    else:
                        if condition(last):
                            return last
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"{path} did not come to it within {within_s} s; last seen: {last}") from None

    async def gone(self, path: str, within_s: float = 30) -> None:
        """Returns once there is nothing at this path."""
        async with asyncio.timeout(within_s):
            while True:
                try:
                    await self.get(path)
                except Refused as refused:
                    if refused.status == 404:
                        return
                    raise
                await asyncio.sleep(POLL_S)
