"""The wiring of one submit service."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from osmo_domain.clusters import Clusters
from osmo_domain.config import Catalogue
from osmo_eventlog.following import follow_catalogue, follow_clusters
from osmo_eventlog.ports import Connection
from osmo_eventlog.subjects import FRONT_DOOR
from osmo_service.clock import Clock
from osmo_service.lifecycle import App
from osmo_submit.again import Again
from osmo_submit.checker import Checker
from osmo_submit.existing import Existing
from osmo_submit.front_door import FrontDoor
from osmo_submit.known import Known
from osmo_submit.numbers import Numbers
from osmo_submit.ports import Renderer
from osmo_submit.recording import Recorder
from osmo_submit.settings import SubmitSettings
from osmo_submit.storing import Storing
from osmo_submit.submission import Submissions
from osmo_submit.texts import Texts
from osmo_submit.workflows import Workflows


@asynccontextmanager
async def open_app(
    settings: SubmitSettings, connection: Connection, clock: Clock, rng: random.Random, renderer: Renderer
) -> AsyncIterator[App]:
    """Requests are answered from when pools and nodes are known until it is closed."""
    catalogue, clusters = Catalogue.empty(), Clusters()
    pools_known, nodes_known = asyncio.Event(), asyncio.Event()
    numbers = Numbers(connection.log)
    known = Known(connection.log, catalogue, clusters, settings.shards)
    door = make_front_door(connection, known, numbers, clock, rng, renderer)

    async def serve() -> None:
        await pools_known.wait()
        await nodes_known.wait()
        async with connection.requests.serve("submit", FRONT_DOOR, door.answer):
            app.ready.set()
            await asyncio.Event().wait()

    app = App(
        "submit",
        {
            "pools": lambda: follow_catalogue(connection.log, catalogue, pools_known, known.changed),
            "nodes": lambda: follow_clusters(connection.log, clusters, nodes_known),
            "hints": numbers.write_hints,
            "front door": serve,
            "connection": connection.watch,
        },
    )
    yield app


def make_front_door(
    connection: Connection, known: Known, numbers: Numbers, clock: Clock, rng: random.Random, renderer: Renderer
) -> FrontDoor:
    workflows = Workflows(connection.log, connection.blobs)
    texts = Texts(connection.blobs)
    storing = Storing(Recorder(connection.log, numbers), texts, known, clock)
    checker = Checker(known, workflows, connection.requests, clock)
    return FrontDoor(
        Submissions(known, renderer, checker, storing, rng),
        Again(known, workflows, checker, storing, texts, rng),
        Existing(connection.log, workflows, known, clock),
        connection.blobs,
    )
