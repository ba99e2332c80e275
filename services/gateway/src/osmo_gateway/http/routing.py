"""What route functions share: parts of the path, and responses that are streamed."""

from typing import Final

from aiohttp import web

from osmo_gateway.caller import Caller
from osmo_gateway.gateway import Gateway
from osmo_gateway.http.edge import CALLER, GATEWAY, PATH

STREAMED: Final = "text/plain; charset=us-ascii"

_STREAM_HEADERS = {
    "Content-Type": STREAMED,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}


def gateway_of(request: web.Request) -> Gateway:
    return request[GATEWAY]


def caller_of(request: web.Request) -> Caller:
    return request[CALLER]


def part(request: web.Request, name: str) -> str:
    """A part of the path, e.g. `part(request, "workflow")`."""
    parts = request.get(PATH) or request.match_info
    return str(parts[name])


class TextStream:
    """A response whose head is sent with its first bytes, so that an error before them is still an error answer."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers=_STREAM_HEADERS)

    async def write(self, data: bytes) -> None:
        """Waits while the reader is slow."""
        await self.open()
        await self.response.write(data)

    async def open(self) -> None:
        if not self.response.prepared:
            await self.response.prepare(self._request)

    async def close(self) -> web.StreamResponse:
        await self.open()
        await self.response.write_eof()
        return self.response
