"""The wiring of one data service."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from osmo_data.credentials.desk import CredentialDesk
from osmo_data.credentials.envelope import Entropy, Envelopes
from osmo_data.credentials.keys import KeyRing
from osmo_data.credentials.proofs import Proofs
from osmo_data.credentials.store import CredentialStore
from osmo_data.own_storage import OwnStorage
from osmo_data.questions import Questions
from osmo_data.settings import DataSettings
from osmo_domain.config import Catalogue
from osmo_eventlog.following import follow_catalogue
from osmo_eventlog.ports import Connection
from osmo_eventlog.subjects import DATA_QUESTIONS, agent_questions
from osmo_service.clock import Clock
from osmo_service.lifecycle import App


@dataclass(frozen=True, slots=True)
class Keys:
    """What an installation needs that keeps credentials. `entropy` must be one that nobody can guess."""

    credentials: KeyRing
    tasks: bytes
    entropy: Entropy


@asynccontextmanager
async def open_app(
    settings: DataSettings, connection: Connection, clock: Clock, rng: random.Random, keys: Keys | None = None
) -> AsyncIterator[App]:
    """Questions are answered while it is open. Ready once it knows the configuration and the credentials; without keys it keeps none."""
    catalogue, configured = Catalogue.empty(), asyncio.Event()
    app = App(
        "data",
        {
            "connection": connection.watch,
            "configuration": lambda: follow_catalogue(connection.log, catalogue, configured),
        },
    )
    desk, known = None, [configured]
    if keys is not None:
        store = CredentialStore(connection.log, clock, rng)
        app.loops = {**app.loops, "credentials": store.follow}
        known.append(store.caught_up)
        proofs = Proofs(connection.log, connection.blobs, keys.tasks)
        own_storage = OwnStorage(catalogue, Path(settings.secrets_dir or "/"))
        desk = CredentialDesk(store, Envelopes(keys.credentials, keys.entropy), proofs, own_storage)
    app.loops = {**app.loops, "readiness": lambda: _tell_ready(app, *known)}
    questions = Questions(settings.roots(), desk, ambient=settings.ambient_storage, catalogue=catalogue)
    async with (
        connection.requests.serve("data", DATA_QUESTIONS, questions.answer),
        connection.requests.serve_each("data-agents", agent_questions("*"), questions.answer_agent),
    ):
        yield app


async def _tell_ready(app: App, *known: asyncio.Event) -> None:
    for each in known:
        await each.wait()
    app.ready.set()
    await asyncio.Event().wait()
