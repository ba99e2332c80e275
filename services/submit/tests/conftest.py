"""A submit service on the memory twin, with a pool, nodes and somebody who asks."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from osmo_domain.cluster import NodeFact
from osmo_domain.clusters import Cluster, Clusters
from osmo_domain.config import Catalogue
from osmo_domain.credential_requests import CheckCredentials, CredentialsChecked
from osmo_domain.pool import GpuQuota, Platform, Pool, WorkflowSettings
from osmo_domain.requests import (
    CheckData,
    DataChecked,
    FrontDoorAnswer,
    FrontDoorRequest,
    Refused,
    SubmitRequest,
    Submitted,
)
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowEvent, WorkflowSubmitted
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.memory.connection import MemoryConnection
from osmo_eventlog.subjects import DATA_QUESTIONS, WORKFLOWS, workflow
from osmo_submit.adapters.in_process import InProcessRenderer
from osmo_submit.app import make_front_door
from osmo_submit.front_door import FrontDoor
from osmo_submit.known import Known
from osmo_submit.numbers import Numbers

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GI = 2**30


class StoppedClock:
    def now(self) -> datetime:
        return NOW


def lab() -> Catalogue:
    catalogue = Catalogue.empty()
    platforms = {"cpu": Platform(), "a100": Platform(labels={"gpu": "a100"})}
    catalogue.pools["lab"] = Pool(
        "lab", "cluster-1", default_platform="cpu", platforms=platforms, gpu=GpuQuota(guarantee=4)
    )
    catalogue.pools["bare"] = Pool("bare", "cluster-2", platforms=platforms)
    catalogue.pools["closed"] = Pool(
        "closed", "cluster-1", enable_maintenance=True, default_platform="cpu", platforms=platforms
    )
    catalogue.workflow = WorkflowSettings(data_url="file:///store", tags=("good", "bad"), max_num_tasks=50)
    return catalogue


def cluster() -> Clusters:
    node = NodeFact("n1", NOW, cpu=8, gpu=8, memory_bytes=32 * GI, storage_bytes=100 * GI)
    return Clusters({"cluster-1": Cluster(nodes={"n1": node}, last_heartbeat=NOW)})


class House:
    """`replica()` gives another service on the same log. Questions about data fail for URIs that hold `secret`; credentials are CREDENTIALS."""

    def __init__(self, server: MemoryServer) -> None:
        self.server = server
        self.catalogue = lab()
        self.clusters = cluster()
        self.connection = server.connect("test")
        self.door = self.replica()

    def replica(self, seed: int = 1) -> FrontDoor:
        connection = self.server.connect(f"submit-{seed}")
        known = Known(connection.log, self.catalogue, self.clusters, 1)
        rng = random.Random(seed)
        return make_front_door(connection, known, Numbers(connection.log), StoppedClock(), rng, InProcessRenderer())

    async def ask(self, request: FrontDoorRequest, door: FrontDoor | None = None) -> FrontDoorAnswer:
        data = await (door or self.door).answer(msgspec.json.encode(request))
        answer: FrontDoorAnswer = msgspec.json.decode(data, type=FrontDoorAnswer)
        return answer

    async def submit(
        self, file: str | None, *, pool: str = "lab", door: FrontDoor | None = None, **more: Any
    ) -> Submitted:
        answer = await self.ask(SubmitRequest(pool, "ada", file, **more), door)
        assert isinstance(answer, Submitted), answer
        return answer

    async def refusal(self, file: str | None, *, pool: str = "lab", **more: Any) -> Refused:
        answer = await self.ask(SubmitRequest(pool, "ada", file, **more))
        assert isinstance(answer, Refused), answer
        return answer

    async def events(self, workflow_id: str) -> list[WorkflowEvent]:
        records = await self.connection.log.load(workflow(0, workflow_id))
        return [event for record in records for event in WORKFLOW_CODEC.decode(record.data).events]  # type: ignore[misc]

    async def submitted(self, workflow_id: str) -> WorkflowSubmitted:
        event = (await self.events(workflow_id))[0]
        assert isinstance(event, WorkflowSubmitted)
        return event

    async def count(self) -> int:
        """How many commits there are."""
        return await self.connection.log.last_seq(WORKFLOWS)


CREDENTIALS = {"git": ("token", "user"), "odd": ("a/b",)}
"""What everybody has."""


async def check_data(data: bytes) -> bytes:
    question = msgspec.json.decode(data, type=CheckData | CheckCredentials)
    if isinstance(question, CheckCredentials):
        known = {name: CREDENTIALS[name] for name in question.names if name in CREDENTIALS}
        return msgspec.json.encode(CredentialsChecked(known, tuple(CREDENTIALS)))
    problems = {uri: "no credential" for uri, _ in question.uris if "secret" in uri or "away" in uri}
    return msgspec.json.encode(DataChecked(problems, {uri: "data.unreachable" for uri in problems if "away" in uri}))


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer(StoppedClock(), random.Random(0))


@pytest.fixture
async def house(server: MemoryServer) -> AsyncIterator[House]:
    data: MemoryConnection = server.connect("data")
    async with data.requests.serve("data", DATA_QUESTIONS, check_data):
        yield House(server)


@pytest.fixture
def house_alone(server: MemoryServer) -> House:
    """Nobody answers questions about data."""
    return House(server)
