"""What the log promises holds on three nats-servers, one of which is killed again and again: nothing acknowledged is lost, nothing is there twice."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from tests.nats_cluster import NatsCluster, NatsMember, running_nats_cluster

from osmo_domain.errors import Stale, Transient
from osmo_eventlog import subjects as s
from osmo_eventlog.nats import apply_streams, connect
from osmo_eventlog.ports import After, Connection
from osmo_eventlog.streams import command_consumer

WRITERS = 4
COMMITS_EACH = 60
KILLS = 3
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
async def cluster() -> AsyncIterator[NatsCluster]:
    with running_nats_cluster() as running:
        await all_current(running)
        async with connected(running, "setup") as connection:
            await until_stored(lambda: apply_streams(connection, replicas=3))
        yield running


@asynccontextmanager
async def connected(cluster: NatsCluster, name: str) -> AsyncIterator[Any]:
    async with connect(cluster.url, name=name, rng=random.Random(name), deadline_s=20) as connection:
        yield connection


async def all_current(cluster: NatsCluster) -> None:
    async with asyncio.timeout(60):
        for member in cluster.members:
            while not await asyncio.to_thread(member.caught_up):
                await asyncio.sleep(0.1)


async def until_stored(call: Any) -> Any:
    """Again after every Transient, as all callers of the log do."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await call()
            except Transient:
                await asyncio.sleep(0.1)


async def write(cluster: NatsCluster, writer: int) -> None:
    """A chain of commits of one aggregate, each expecting the one before."""
    subject = s.workflow(0, f"wf-{writer}")
    async with connected(cluster, f"writer-{writer}") as connection:
        seq = 0
        for number in range(COMMITS_EACH):
            seq = await until_stored(
                lambda number=number, expected=seq: connection.log.append(
                    subject, str(number).encode(), message_id=f"{writer}/{number}", expected=expected
                )
            )
            await asyncio.sleep(0.05)
        with pytest.raises(Stale):
            await until_stored(lambda: connection.log.append(subject, b"x", message_id="x", expected=1))


async def kill_in_turn(cluster: NatsCluster) -> None:
    """Each server dies and comes back; the next one dies only when all copies are current again."""
    for member in cluster.members[:KILLS]:
        await asyncio.sleep(0.5)
        await asyncio.to_thread(member.kill)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(member.start)
        await all_current(cluster)


async def test_chains_of_commits_are_whole_after_every_server_died_once(cluster: NatsCluster) -> None:
    seen: list[tuple[str, bytes]] = []

    async def follow() -> None:
        async with (
            connected(cluster, "follower") as connection,
            aclosing(connection.log.follow(s.WORKFLOWS, [s.workflows_of_shard(0)], After(0))) as batches,
        ):
            async for batch in batches:
                seen.extend((record.subject, record.data) for record in batch)
                if len(seen) >= WRITERS * COMMITS_EACH:
                    return

    following = asyncio.create_task(follow())
    async with asyncio.timeout(180):
        await asyncio.gather(kill_in_turn(cluster), *(write(cluster, writer) for writer in range(WRITERS)))
        await following
    wanted = [str(number).encode() for number in range(COMMITS_EACH)]
    async with connected(cluster, "reader") as connection:
        for writer in range(WRITERS):
            subject = s.workflow(0, f"wf-{writer}")
            assert [record.data for record in await connection.log.load(subject)] == wanted
            assert [data for where, data in seen if where == subject] == wanted, "a follower misses and repeats nothing"


async def test_commands_blobs_and_leases_outlive_the_death_of_a_server(cluster: NatsCluster) -> None:
    consumer = command_consumer("b")
    async with connected(cluster, "one") as connection:
        log = connection.log
        await until_stored(
            lambda: log.ensure_consumer(consumer.stream, consumer.durable, consumer.subjects, ack_wait_s=5)
        )
        digest = await until_stored(lambda: connection.blobs.put(b"plan" * 100_000))
        for number in range(20):
            await until_stored(
                lambda number=number: log.publish(s.command("b"), str(number).encode(), message_id=f"c{number}")
            )
        victim = cluster.members[0]
        await asyncio.to_thread(victim.kill)
        assert await take(connection, consumer, 20) == [str(number).encode() for number in range(20)]
        assert await until_stored(lambda: connection.blobs.get(digest)) == b"plan" * 100_000
        await started_again(victim, cluster)
        assert await until_stored(lambda: connection.blobs.get(digest)) == b"plan" * 100_000


async def take(connection: Connection, consumer: Any, count: int) -> list[bytes]:
    """What the queue gives, acknowledged; each command counts once however often it is delivered."""
    found: dict[int, bytes] = {}
    async with asyncio.timeout(60), connection.log.consume(consumer.stream, consumer.durable) as queue:
        while len(found) < count:
            for delivery in await until_stored(lambda: queue.fetch(10, wait_s=1)):
                found[delivery.record.seq] = delivery.record.data
                await until_stored(delivery.ack)
    return [found[seq] for seq in sorted(found)]


async def started_again(member: NatsMember, cluster: NatsCluster) -> None:
    await asyncio.to_thread(member.start)
    await all_current(cluster)
