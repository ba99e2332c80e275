"""The wiring of one agent: every loop, from the ports that it is given."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from importlib.metadata import version

from osmo_agent.commands import CommandLoop
from osmo_agent.credentials import GroupCredentials
from osmo_agent.facts import Facts
from osmo_agent.fence import Fence
from osmo_agent.heartbeat import beat
from osmo_agent.inventory import InventoryLoop
from osmo_agent.nodes import NodeWatch
from osmo_agent.outbox import Outbox
from osmo_agent.pods import watch_pods
from osmo_agent.ports import PodRuntime
from osmo_agent.registration import Registration
from osmo_agent.settings import AgentSettings
from osmo_domain.cluster import ClusterFact, NodeFact, NodeSeen
from osmo_domain.commit import CommitCodec
from osmo_eventlog import subjects
from osmo_eventlog.ports import Connection, EventLog, LastPerSubject
from osmo_service.backoff import until_done
from osmo_service.clock import Clock
from osmo_service.lifecycle import App

_CODEC: CommitCodec[ClusterFact] = CommitCodec(ClusterFact)


@asynccontextmanager
async def open_app(
    settings: AgentSettings, connection: Connection, clock: Clock, rng: random.Random, runtime: PodRuntime
) -> AsyncIterator[App]:
    """Registered when it yields (RegistrationRefused where the name is another cluster's); ready after first nodes and inventory."""
    log, backend = connection.log, settings.backend
    identity = await runtime.identity()
    registration = Registration(log, backend, identity, version("osmo-agent"), clock, rng)
    await registration.register()
    facts = Facts(log, backend, clock, rng)
    outbox = Outbox(facts, settings.buffered_facts)
    commands = CommandLoop(
        log,
        connection.blobs,
        runtime,
        GroupCredentials(connection.requests, backend),
        facts,
        Fence(connection.snapshots, backend),
        clock,
        rng,
        backend=backend,
        at_once=settings.commands_at_once,
    )
    await commands.take_up()
    nodes = NodeWatch(
        runtime,
        facts,
        clock,
        rng,
        every_s=settings.nodes_every_s,
        repeat_s=settings.node_repeat_s,
        known=await until_done(lambda: known_nodes(log, backend), what="known nodes", rng=rng),
    )
    inventory = InventoryLoop(
        runtime, outbox, facts, commands.through, connection.blobs, clock, rng, every_s=settings.inventory_every_s
    )
    ready = asyncio.Event()

    async def announce() -> None:
        await nodes.stored.wait()
        await inventory.stored.wait()
        ready.set()
        await asyncio.Event().wait()

    yield App(
        name=f"agent-{backend}",
        loops={
            "commands": commands.run,
            "pods": lambda: watch_pods(runtime, outbox, rng),
            "outbox": outbox.run,
            "nodes": nodes.run,
            "inventory": inventory.run,
            "heartbeat": lambda: beat(facts, clock, settings.heartbeat_every_s),
            "registration": lambda: registration.keep(settings.register_every_s),
            "announce": announce,
            "connection": connection.watch,
        },
        ready=ready,
    )


async def known_nodes(log: EventLog, backend: str) -> dict[str, NodeFact]:
    """The nodes that earlier lives of this agent told of, and that were there."""
    every_node = subjects.cluster(backend, "node", "*")
    last = await log.last(subjects.CLUSTERS, every_node)
    known: dict[str, NodeFact] = {}
    if last is None:
        return known
    async with aclosing(log.follow(subjects.CLUSTERS, [every_node], LastPerSubject())) as batches:
        async for batch in batches:
            for record in batch:
                for fact in _CODEC.decode(record.data).events:
                    if isinstance(fact, NodeSeen) and not fact.node.gone:
                        known[fact.node.name] = fact.node
            if batch[-1].seq >= last.seq:
                break
    return known
