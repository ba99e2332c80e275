"""The log-router as a process."""

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from osmo_eventlog.nats import connect
from osmo_log_router.app import open_app
from osmo_log_router.settings import LogRouterSettings
from osmo_service.clock import SystemClock
from osmo_service.health import HealthSettings
from osmo_service.lifecycle import App, run
from osmo_service.logging_setup import set_up_logging
from osmo_service.settings import BadSettings, load_settings


def serve(environ: Mapping[str, str], ready_fd: int | None = None) -> None:
    """Run until told to stop."""
    settings = load_settings(LogRouterSettings, environ)
    set_up_logging(settings.log_level)
    run(_opened(settings, read_key(settings)), ready_fd=ready_fd, health=load_settings(HealthSettings, environ))


def read_key(settings: LogRouterSettings) -> bytes | None:
    """The key of the tasks' tokens; None only where the settings say that no proof is needed."""
    if not settings.task_key_file:
        if settings.accept_unproven_tasks:
            return None
        raise BadSettings(
            "OSMO_TASK_KEY_FILE is not set: without it no task can prove who it is (OSMO_ACCEPT_UNPROVEN_TASKS=true believes all of them)"
        )
    try:
        key = Path(settings.task_key_file).read_bytes().strip()
    except OSError as error:
        raise BadSettings(f"OSMO_TASK_KEY_FILE: cannot read {settings.task_key_file}: {error.strerror}") from error
    if not key:
        raise BadSettings(f"OSMO_TASK_KEY_FILE: {settings.task_key_file} is empty")
    return key


@asynccontextmanager
async def _opened(settings: LogRouterSettings, key: bytes | None) -> AsyncIterator[App]:
    rng = random.Random()
    async with (
        connect(settings.nats_url, name="log-router", rng=rng) as connection,
        open_app(settings, connection, SystemClock(), rng, key) as app,
    ):
        yield app


if __name__ == "__main__":
    serve(os.environ)
