"""The scheduler as a process: settings, the task key, the log."""

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from osmo_eventlog.nats import connect
from osmo_scheduler.app import open_app
from osmo_scheduler.settings import SchedulerSettings
from osmo_service.clock import SystemClock
from osmo_service.health import HealthSettings
from osmo_service.lifecycle import App, run
from osmo_service.logging_setup import set_up_logging
from osmo_service.settings import BadSettings, load_settings


def serve(environ: Mapping[str, str], ready_fd: int | None = None) -> None:
    """Run until told to stop. Ends with a sentence where the settings are wrong."""
    settings = load_settings(SchedulerSettings, environ)
    set_up_logging(settings.log_level)
    run(_opened(settings, read_task_key(settings)), ready_fd=ready_fd, health=load_settings(HealthSettings, environ))


def read_task_key(settings: SchedulerSettings) -> bytes:
    if not settings.task_key_file:
        raise BadSettings("OSMO_TASK_KEY_FILE is not set: it holds the key by which tasks prove who they are")
    try:
        key = Path(settings.task_key_file).read_bytes().strip()
    except OSError as error:
        raise BadSettings(f"OSMO_TASK_KEY_FILE: {error}") from error
    if not key:
        raise BadSettings(f"OSMO_TASK_KEY_FILE: {settings.task_key_file} is empty")
    return key


@asynccontextmanager
async def _opened(settings: SchedulerSettings, task_key: bytes) -> AsyncIterator[App]:
    rng = random.Random()
    name = f"scheduler-{settings.shard}"
    async with (
        connect(settings.nats_url, name=name, rng=rng) as connection,
        open_app(settings, connection, SystemClock(), rng, task_key=task_key) as app,
    ):
        yield app


if __name__ == "__main__":
    serve(os.environ)
