"""The submit service as a process."""

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from osmo_eventlog.nats import connect
from osmo_service.clock import SystemClock
from osmo_service.health import HealthSettings
from osmo_service.lifecycle import App, run
from osmo_service.logging_setup import set_up_logging
from osmo_service.settings import load_settings
from osmo_submit.adapters.process_pool import open_renderer
from osmo_submit.app import open_app
from osmo_submit.settings import SubmitSettings


def serve(environ: Mapping[str, str], ready_fd: int | None = None) -> None:
    """Run until told to stop."""
    settings = load_settings(SubmitSettings, environ)
    set_up_logging(settings.log_level)
    run(_opened(settings), ready_fd=ready_fd, health=load_settings(HealthSettings, environ))


@asynccontextmanager
async def _opened(settings: SubmitSettings) -> AsyncIterator[App]:
    rng = random.SystemRandom()
    async with (
        connect(settings.nats_url, name="submit", rng=rng) as connection,
        open_renderer(settings.render_workers, settings.render_seconds, settings.render_memory_bytes) as renderer,
        open_app(settings, connection, SystemClock(), rng, renderer) as app,
    ):
        yield app


if __name__ == "__main__":
    serve(os.environ)
