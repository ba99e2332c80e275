"""The wiring of one data service."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from osmo_data.questions import Questions
from osmo_data.settings import DataSettings
from osmo_eventlog.ports import Connection
from osmo_eventlog.subjects import DATA_QUESTIONS
from osmo_service.clock import Clock
from osmo_service.lifecycle import App


@asynccontextmanager
async def open_app(
    settings: DataSettings,
    connection: Connection,
    clock: Clock,  # noqa: ARG001  every service is opened alike; nothing here depends on time yet
    rng: random.Random,  # noqa: ARG001
) -> AsyncIterator[App]:
    """Questions are answered while it is open. Ready when it yields."""
    questions = Questions(settings.roots())
    app = App("data", {"connection": connection.watch})
    async with connection.requests.serve("data", DATA_QUESTIONS, questions.answer):
        app.ready.set()
        yield app
