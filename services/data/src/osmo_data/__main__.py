"""The data service as a process."""

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from osmo_data.app import open_app
from osmo_data.settings import DataSettings
from osmo_eventlog.nats import connect
from osmo_service.clock import SystemClock
from osmo_service.lifecycle import App, run
from osmo_service.logging_setup import set_up_logging
from osmo_service.settings import load_settings


def serve(environ: Mapping[str, str], ready_fd: int | None = None) -> None:
    """Run until told to stop."""
    settings = load_settings(DataSettings, environ)
    set_up_logging(settings.log_level)
    run(_opened(settings), ready_fd=ready_fd)


@asynccontextmanager
async def _opened(settings: DataSettings) -> AsyncIterator[App]:
    rng = random.Random()
    async with (
        connect(settings.nats_url, name="data", rng=rng) as connection,
        open_app(settings, connection, SystemClock(), rng) as app,
    ):
        yield app


if __name__ == "__main__":
    serve(os.environ)
