"""The HTTP server: routes, edge, socket, and the order in which it stops (style P26)."""

import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

from aiohttp import web

from osmo_gateway.gateway import Gateway
from osmo_gateway.http.edge import Edge
from osmo_gateway.http.openapi import document_text
from osmo_gateway.http.openapi_routes import DOCUMENT
from osmo_gateway.http.openapi_schemas import error_codes
from osmo_gateway.http.table import ENDPOINTS

log = logging.getLogger("osmo.gateway.http")

MAX_BYTES: Final = 40 * 1024 * 1024
"""A spec of 32 MiB, as JSON."""

_SHUTDOWN_S: Final = 3.0


def make_app(gateway: Gateway, *, dev: bool, rng: random.Random) -> web.Application:
    edge = Edge(gateway, dev=dev, max_bytes=MAX_BYTES, rng=rng)
    app = web.Application(middlewares=[edge.middleware], client_max_size=MAX_BYTES)
    document: Callable[[], bytes] = _document
    app[DOCUMENT] = document
    app.add_routes([endpoint.route() for endpoint in ENDPOINTS])
    return app


@cache
def _document() -> bytes:
    return document_text(ENDPOINTS, error_codes()).encode()


@asynccontextmanager
async def open_server(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Listen; yields the address as a URL. A reader that disconnects has its handler cancelled, so that streams free what they hold."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        log.info("listening", extra={"host": bound[0], "port": bound[1]})
        yield f"http://{shown}:{bound[1]}"
    finally:
        await runner.cleanup()
