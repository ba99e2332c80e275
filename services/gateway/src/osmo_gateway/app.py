"""The wiring of the gateway: everything is handed in, nothing runs until the loops are run."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import msgspec

from osmo_eventlog.ports import Clients, Connection
from osmo_eventlog.subjects import AUTH_QUESTIONS, agent_window
from osmo_gateway.backends.door import MakeDoor
from osmo_gateway.configs.shipped import sow_shipped
from osmo_gateway.gateway import Gateway
from osmo_gateway.http.server import make_app, open_server
from osmo_gateway.seeding import Seed, sow, sow_tokens
from osmo_gateway.settings import Settings
from osmo_service.clock import Clock
from osmo_service.lifecycle import App
from osmo_views.ports import WorkflowViews


@dataclass
class GatewayApp(App):
    """`gateway` has the use-cases; `address` is the URL that is listened on, or empty."""

    gateway: Gateway | None = None
    address: str = ""


@asynccontextmanager
async def open_app(
    settings: Settings,
    connection: Connection,
    clock: Clock,
    rng: random.Random,
    views: WorkflowViews,
    *,
    seed: Seed | None = None,
    make_door: MakeDoor | None = None,
    clients: Clients | None = None,
) -> AsyncIterator[GatewayApp]:
    """The gateway over these ports; its HTTP server only when `settings.port` is set. `seed` is sown before anything is read.

    With `make_door` it decides which agents come in; `clients` ends connections of those whose tokens are revoked.
    """
    settings.check_access()
    await sow_shipped(connection.log, clock)
    if seed is not None:
        await sow(seed, connection.log, clock)
    base_url = settings.base_url or f"http://{settings.host}:{settings.port}"
    gateway = Gateway.compose(
        connection,
        views,
        clock,
        rng,
        base_url=base_url,
        clients=clients,
        agent_addresses=settings.agent_addresses(base_url),
    )
    if seed is not None:
        await sow_tokens(seed, gateway.backend_tokens)
    async with AsyncExitStack() as stack:
        address = ""
        if settings.port is not None:
            http = make_app(gateway, dev=settings.dev, rng=rng)
            address = await stack.enter_async_context(open_server(http, settings.host, settings.port))
        app = GatewayApp(name="gateway", loops={}, gateway=gateway, address=address)
        door = make_door(gateway.backend_tokens, gateway.estate) if make_door is not None else None
        if door is not None:
            await stack.enter_async_context(connection.requests.serve("agent-door", AUTH_QUESTIONS, door.answer))
        answering = connection.requests.serve_each("agent-window", agent_window("*"), gateway.agent_window.answer)
        await stack.enter_async_context(answering)
        app.loops = {
            "projection": gateway.projection.run,
            "pod events": gateway.pod_events.run,
            "catalogue": gateway.configs.follow,
            "clusters": gateway.estate.follow_clusters,
            "profiles": gateway.profiles.follow,
            "apps": gateway.apps.follow,
            "backend tokens": gateway.backend_tokens.follow,
            "connection": connection.watch,
            "readiness": lambda: _tell_ready(app, gateway),
        }
        yield app


async def _tell_ready(app: App, gateway: Gateway) -> None:
    """Ready once everything that was in the log at the start is known here."""
    for known in (
        gateway.estate.catalogue_known,
        gateway.estate.clusters_known,
        gateway.profiles.known,
        gateway.apps.known,
        gateway.backend_tokens.known,
        gateway.projection.caught_up,
    ):
        await known.wait()
    app.ready.set()
    await asyncio.Event().wait()


def read_seed(data: bytes) -> Seed:
    return msgspec.json.decode(data, type=Seed)
