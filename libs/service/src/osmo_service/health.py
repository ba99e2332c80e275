"""Two questions that whoever runs a process may ask it: does it live, and is it ready to serve?

`/live` is answered as long as the event loop turns, also while the service waits for its servers: starting it again would not bring them back.
`/ready` is 200 once the service has caught up, 503 before that and while it is not (a scheduler that stands by is not ready, and healthy).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from msgspec import Struct

LIVE = "/live"
READY = "/ready"


class HealthSettings(Struct, frozen=True):
    """`health_port` None = nobody asks; 0 = any free port."""

    health_host: str = "127.0.0.1"
    health_port: int | None = None


@dataclass
class Health:
    """`port` is the one that is listened on, 0 if none; `is_ready` is replaced once there is somebody to ask."""

    port: int = 0
    is_ready: Callable[[], bool] = lambda: False


@asynccontextmanager
async def open_health(settings: HealthSettings) -> AsyncIterator[Health]:
    """Answer while it is open."""
    health = Health()
    if settings.health_port is None:
        yield health
        return
    # Imported only where somebody asks: `osmo up` runs services that need nothing of it.
    from aiohttp import web

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        if health.is_ready():
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "not ready"}, status=503)

    application = web.Application()
    application.router.add_get(LIVE, live)
    application.router.add_get(READY, ready)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.health_host, settings.health_port).start()
        health.port = int(runner.addresses[0][1])
        yield health
    finally:
        await runner.cleanup()
