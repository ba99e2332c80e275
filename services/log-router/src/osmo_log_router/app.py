"""The wiring of one log-router."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from osmo_eventlog.ports import Connection
from osmo_log_router.router import Router
from osmo_log_router.server import LogRouterServer
from osmo_log_router.settings import NO_SOCKET, LogRouterSettings
from osmo_service.clock import Clock
from osmo_service.lifecycle import App

SHUTDOWN_S = 5


@dataclass
class LogRouterApp(App):
    """`router` takes sessions without a socket (`open_session`); `port` is the one that is listened on, 0 if none."""

    router: Router | None = None
    port: int = 0


@asynccontextmanager
async def open_app(
    settings: LogRouterSettings, connection: Connection, clock: Clock, rng: random.Random, key: bytes | None
) -> AsyncIterator[LogRouterApp]:
    """`key` is the content of the task key file; None where control containers need no proof. Ready when it yields."""
    router = Router(connection, clock, rng, key)
    app = LogRouterApp("log-router", {"connection": connection.watch}, router=router)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(router.barriers.close)
        if settings.log_router_port != NO_SOCKET:
            app.port = await stack.enter_async_context(_listening(settings, router))
        app.ready.set()
        yield app


@asynccontextmanager
async def _listening(settings: LogRouterSettings, router: Router) -> AsyncIterator[int]:
    runner = web.AppRunner(
        LogRouterServer(router).application(), shutdown_timeout=SHUTDOWN_S, access_log=None, handle_signals=False
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.log_router_host, settings.log_router_port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
