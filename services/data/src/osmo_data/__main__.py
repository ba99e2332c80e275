"""The data service as a process."""

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from osmo_data.app import Keys, open_app
from osmo_data.credentials.keys import BadKeyFile, read_key_ring, read_task_key
from osmo_data.settings import DataSettings
from osmo_eventlog.nats import connect
from osmo_service.clock import SystemClock
from osmo_service.health import HealthSettings
from osmo_service.lifecycle import App, run
from osmo_service.logging_setup import set_up_logging
from osmo_service.settings import BadSettings, load_settings


def serve(environ: Mapping[str, str], ready_fd: int | None = None) -> None:
    """Run until told to stop."""
    settings = load_settings(DataSettings, environ)
    set_up_logging(settings.log_level)
    run(_opened(settings, read_keys(settings)), ready_fd=ready_fd, health=load_settings(HealthSettings, environ))


def read_keys(settings: DataSettings) -> Keys | None:
    """The keys that the settings name; None where no credentials are kept."""
    if not settings.credential_key_file:
        return None
    if not settings.task_key_file:
        raise BadSettings("OSMO_TASK_KEY_FILE is not set: without it no task can prove that credentials are for it")
    try:
        ring = read_key_ring(Path(settings.credential_key_file))
        return Keys(ring, read_task_key(Path(settings.task_key_file)), os.urandom)
    except BadKeyFile as error:
        raise BadSettings(f"OSMO_CREDENTIAL_KEY_FILE, OSMO_TASK_KEY_FILE: {error}") from error


@asynccontextmanager
async def _opened(settings: DataSettings, keys: Keys | None) -> AsyncIterator[App]:
    rng = random.Random()
    async with (
        connect(settings.nats_url, name="data", rng=rng) as connection,
        open_app(settings, connection, SystemClock(), rng, keys) as app,
    ):
        yield app


if __name__ == "__main__":
    serve(os.environ)
