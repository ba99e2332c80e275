"""The folds that several services keep, and how they know that they have caught up."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from osmo_domain.cluster import BackendRegistered, Heartbeat, NodeFact, NodeSeen, PodFact, PodPhase, PodsSeen
from osmo_domain.clusters import Clusters
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import Catalogue, ConfigDeleted, ConfigSet
from osmo_domain.errors import Poison
from osmo_domain.plan import Plan
from osmo_domain.pool import Pool
from osmo_domain.workflow.events import WorkflowSubmitted
from osmo_eventlog import subjects as s
from osmo_eventlog.following import follow_catalogue, follow_clusters, follow_to_now
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.memory import MemoryConnection, MemoryServer
from osmo_eventlog.ports import After, EventLog, OnlyNew

AT = datetime(2026, 11, 20, 11, tzinfo=UTC)


class StillClock:
    def now(self) -> datetime:
        return AT


@pytest.fixture
def connection() -> MemoryConnection:
    return MemoryServer(StillClock(), random.Random(1)).connect("test")


@pytest.fixture
def log(connection: MemoryConnection) -> EventLog:
    return connection.log


def commit(*events: Any) -> bytes:
    return encode_commit(Commit(id="c", at=AT, actor="test", events=list(events)))


def pool(name: str, backend: str = "default") -> ConfigSet:
    return ConfigSet("pool", name, msgspec.Raw(msgspec.json.encode(Pool(name=name, backend=backend))))


async def send(log: EventLog, subject: str, *events: Any) -> None:
    await log.append(subject, commit(*events), message_id="", expected=None)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_the_catalogue_holds_what_was_set_last_before_it_is_caught_up(log: EventLog) -> None:
    await send(log, s.config("pool", "a"), pool("a"))
    await send(log, s.config("pool", "b"), pool("b"))
    await send(log, s.config("pool", "a"), pool("a", "other"))
    await send(log, s.config("pool", "b"), ConfigDeleted("pool", "b"))
    catalogue, caught_up, changes = Catalogue.empty(), asyncio.Event(), []
    async with running(follow_catalogue(log, catalogue, caught_up, lambda: changes.append(1))):
        await asyncio.wait_for(caught_up.wait(), 5)
        assert {name: each.backend for name, each in catalogue.pools.items()} == {"a": "other"}
        await send(log, s.config("pool", "c"), pool("c"))
        await until(lambda: "c" in catalogue.pools)
    assert len(changes) == 2


async def test_a_message_that_cannot_be_read_is_passed_over(log: EventLog) -> None:
    await log.publish(s.config("pool", "broken"), b"{", message_id="")
    await send(log, s.config("pool", "odd"), ConfigSet("pool", "odd", msgspec.Raw(b"[]")))
    await send(log, s.config("pool", "a"), pool("a"))
    catalogue, caught_up = Catalogue.empty(), asyncio.Event()
    async with running(follow_catalogue(log, catalogue, caught_up)):
        await asyncio.wait_for(caught_up.wait(), 5)
    assert set(catalogue.pools) == {"a"}


async def test_nothing_to_read_is_caught_up_at_once(log: EventLog) -> None:
    caught_up, seen = asyncio.Event(), asyncio.Event()
    async with (
        running(follow_catalogue(log, Catalogue.empty(), caught_up)),
        running(follow_clusters(log, Clusters(), seen)),
    ):
        await asyncio.wait_for(caught_up.wait(), 5)
        await asyncio.wait_for(seen.wait(), 5)


async def test_clusters_know_nodes_and_agents_and_read_nothing_of_pods(log: EventLog) -> None:
    pods = PodsSeen(pods=(PodFact("w", "u", "g", "t", 0, "p", PodPhase.RUNNING, AT),))
    await send(log, s.cluster("b", "registered"), BackendRegistered("b", "uid", "1", "simulated", AT))
    for gpu in (1, 8):
        await send(log, s.cluster("b", "node", "n.1"), NodeSeen(NodeFact("n.1", AT, gpu=gpu)))
    await send(log, s.cluster("b", "heartbeat"), Heartbeat(AT))
    await send(log, s.cluster("b", "pods"), pods)
    clusters, caught_up = Clusters(), asyncio.Event()
    async with running(follow_clusters(log, clusters, caught_up)):
        await asyncio.wait_for(caught_up.wait(), 5)
        cluster = clusters.by_backend["b"]
        assert cluster.nodes["n.1"].gpu == 8
        assert (cluster.cluster_uid, cluster.online(AT)) == ("uid", True)
        await send(log, s.cluster("b", "node", "n.1"), NodeSeen(NodeFact("n.1", AT, gone=True)))
        await until(lambda: not cluster.nodes)


async def test_caught_up_is_told_after_the_last_batch_was_worked_off(log: EventLog) -> None:
    for n in range(10):
        await log.publish(s.workflow(0, "w"), b"%d" % n, message_id="")
    caught_up = asyncio.Event()
    seen: list[int] = []

    async def follow() -> None:
        async for records in follow_to_now(log, s.WORKFLOWS, ["osmo.workflow.0.>"], After(3), caught_up, batch=2):
            assert not caught_up.is_set()
            seen.extend(record.seq for record in records)

    async with running(follow()):
        await asyncio.wait_for(caught_up.wait(), 5)
    assert seen == [4, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("start", [After(10), OnlyNew()])
async def test_a_reader_that_wants_nothing_old_is_caught_up_at_once(log: EventLog, start: After | OnlyNew) -> None:
    for n in range(10):
        await log.publish(s.workflow(0, "w"), b"%d" % n, message_id="")
    caught_up = asyncio.Event()

    async def follow() -> None:
        async for _ in follow_to_now(log, s.WORKFLOWS, [], start, caught_up):
            raise AssertionError("nothing is new")

    async with running(follow()):
        await asyncio.wait_for(caught_up.wait(), 5)


class TestHydrate:
    PLAN = Plan(name="w", pool="p", backend="b", groups=())

    def submitted(self, **fields: Any) -> Commit[Any]:
        return Commit(id="c", at=AT, actor="submit", events=[WorkflowSubmitted("w-1", "u", "me", AT, **fields)])

    async def test_a_plan_from_the_blobs_is_put_back(self, connection: MemoryConnection) -> None:
        digest = await connection.blobs.put(msgspec.json.encode(self.PLAN))
        whole = await hydrate(self.submitted(plan_blob=digest), connection.blobs)
        assert whole.events[0].plan == self.PLAN
        assert whole.events[0].plan_blob == digest

    async def test_a_commit_that_lacks_nothing_is_returned_as_it_is(self, connection: MemoryConnection) -> None:
        commit = self.submitted(plan=self.PLAN)
        assert await hydrate(commit, connection.blobs) is commit

    async def test_a_blob_that_is_not_there_or_is_no_plan_is_poison(self, connection: MemoryConnection) -> None:
        for digest in ("0" * 64, await connection.blobs.put(b"[]")):
            with pytest.raises(Poison):
                await hydrate(self.submitted(plan_blob=digest), connection.blobs)

    async def test_bytes_that_do_not_have_their_digest_are_poison(self) -> None:
        class Lying:
            async def put(self, data: bytes) -> str:
                return ""

            async def get(self, digest: str) -> bytes:
                return b"something else"

        with pytest.raises(Poison):
            await hydrate(self.submitted(plan_blob="0" * 64), Lying())
