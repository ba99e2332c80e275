"""`python -m osmo_gateway`: one gateway process."""

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from osmo_eventlog.nats import connect
from osmo_eventlog.nats.callout import Issuer, read_caller
from osmo_gateway.app import open_app, read_seed
from osmo_gateway.backends.door import AgentDoor
from osmo_gateway.backends.tokens import BackendTokens
from osmo_gateway.estate import Estate
from osmo_gateway.seeding import Seed
from osmo_gateway.settings import Settings
from osmo_service.backoff import until_done
from osmo_service.clock import SystemClock
from osmo_service.health import HealthSettings
from osmo_service.lifecycle import App, run
from osmo_service.logging_setup import set_up_logging
from osmo_service.settings import BadSettings, load_settings
from osmo_views.postgres import open_workflow_views


def serve(environ: Mapping[str, str], ready_fd: int | None = None) -> None:
    settings = load_settings(Settings, environ)
    settings.check_access()
    set_up_logging(settings.log_level)
    run(
        _opened(settings, _seed(settings), _issuer(settings)),
        ready_fd=ready_fd,
        health=load_settings(HealthSettings, environ),
    )


@asynccontextmanager
async def _opened(settings: Settings, seed: Seed | None, issuer: Issuer | None) -> AsyncIterator[App]:
    rng, clock = random.Random(), SystemClock()

    def door(tokens: BackendTokens, estate: Estate) -> AgentDoor:
        assert issuer is not None
        return AgentDoor(tokens, estate, issuer, read_caller, clock, timedelta(seconds=settings.agent_login_s))

    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect(settings.nats_url, name="gateway", rng=rng))
        views = await until_done(
            lambda: stack.enter_async_context(open_workflow_views(settings.database_url)), what="the database", rng=rng
        )
        clients = connection.clients if issuer is not None else None
        make_door = door if issuer is not None else None
        opening = open_app(settings, connection, clock, rng, views, seed=seed, make_door=make_door, clients=clients)
        yield await stack.enter_async_context(opening)


def _seed(settings: Settings) -> Seed | None:
    if not settings.seed_file:
        return None
    try:
        return read_seed(Path(settings.seed_file).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise BadSettings(f"OSMO_SEED_FILE={settings.seed_file} cannot be read: {error}") from error


def _issuer(settings: Settings) -> Issuer | None:
    if not settings.nats_issuer_file:
        return None
    try:
        return Issuer(Path(settings.nats_issuer_file).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise BadSettings(
            f"OSMO_NATS_ISSUER_FILE={settings.nats_issuer_file} is not the seed of an account's nkey: {error}"
        ) from error


if __name__ == "__main__":
    serve(os.environ)
