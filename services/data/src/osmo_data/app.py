"""The wiring of one data service."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from osmo_data.credentials.desk import CredentialDesk
from osmo_data.credentials.envelope import Entropy, Envelopes
from osmo_data.credentials.keys import KeyRing
from osmo_data.credentials.proofs import Proofs
from osmo_data.credentials.store import CredentialStore
from osmo_data.questions import Questions
from osmo_data.settings import DataSettings
from osmo_eventlog.ports import Connection
from osmo_eventlog.subjects import DATA_QUESTIONS
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
    """Questions are answered while it is open. Ready once it knows the credentials that there are; without keys it keeps none."""
    app = App("data", {"connection": connection.watch})
    desk = None
    if keys is not None:
        store = CredentialStore(connection.log, clock, rng)
        app.loops = {**app.loops, "credentials": store.follow, "readiness": lambda: _tell_ready(app, store)}
        proofs = Proofs(connection.log, connection.blobs, keys.tasks)
        desk = CredentialDesk(store, Envelopes(keys.credentials, keys.entropy), proofs)
    questions = Questions(settings.roots(), desk)
    async with connection.requests.serve("data", DATA_QUESTIONS, questions.answer):
        if keys is None:
            app.ready.set()
        yield app


async def _tell_ready(app: App, store: CredentialStore) -> None:
    await store.caught_up.wait()
    app.ready.set()
    await asyncio.Event().wait()
