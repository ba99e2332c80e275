"""Two gateways that write the configuration at the same time, over a real NATS server."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from services.gateway.tests.gateway_house import SEED

from osmo_domain.configuration.decide import Note
from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.errors import Rejected
from osmo_eventlog.nats import apply_streams, connect
from osmo_eventlog.ports import Connection
from osmo_gateway.app import GatewayApp, open_app
from osmo_gateway.gateway import Gateway
from osmo_gateway.settings import Settings
from osmo_service.clock import SystemClock
from osmo_service.lifecycle import run_app
from osmo_views.memory import MemoryWorkflowViews

NOTE = Note("test")


@asynccontextmanager
async def gateway(connection: Connection, seed: int) -> AsyncIterator[Gateway]:
    views, clock, rng = MemoryWorkflowViews(), SystemClock(), random.Random(seed)
    async with open_app(Settings(port=None), connection, clock, rng, views, seed=SEED) as app:
        stop = asyncio.Event()
        running = asyncio.create_task(run_app(app, stop))
        try:
            yield await _ready(app)
        finally:
            stop.set()
            await running


async def _ready(app: GatewayApp) -> Gateway:
    async with asyncio.timeout(10):
        await app.ready.wait()
    assert app.gateway is not None
    return app.gateway


@asynccontextmanager
async def two_gateways(nats_url: str) -> AsyncIterator[tuple[Gateway, Gateway]]:
    async with contextlib.AsyncExitStack() as stack:
        rng = random.Random(1)
        connections = [await stack.enter_async_context(connect(nats_url, name=f"g{n}", rng=rng)) for n in range(2)]
        await apply_streams(connections[0])
        first = await stack.enter_async_context(gateway(connections[0], 1))
        yield first, await stack.enter_async_context(gateway(connections[1], 2))


def variable(name: str) -> dict[str, Any]:
    return {"common_default_variables": {name: 1}}


async def test_every_write_of_both_counts_and_both_know_them_in_one_order(nats_url: str) -> None:
    async with two_gateways(nats_url) as both:
        writes = [
            one.config_writes.patch("ann", ConfigType.POOL, "default", variable(f"V{n}_{m}"), NOTE)
            for n, one in enumerate(both)
            for m in range(10)
        ]
        await asyncio.gather(*writes)
        numbers = [one.configs.book.newest(ConfigType.POOL) for one in both]
        assert max(numbers) == 23  # three seeds, twenty writes
        async with asyncio.timeout(5):
            while min(one.configs.book.seq for one in both) < max(one.configs.book.seq for one in both):
                await asyncio.sleep(0.01)
        first, second = (one.configs.book for one in both)
        assert len(first.objects[ConfigType.POOL]["default"]["common_default_variables"]) == 20
        assert first.objects == second.objects
        assert [one.changes for one in first.revisions[ConfigType.POOL]] == [
            one.changes for one in second.revisions[ConfigType.POOL]
        ]


async def test_what_one_begins_to_use_the_other_does_not_delete(nats_url: str) -> None:
    """Whichever of the two is first, no pool names a template that is gone."""
    async with two_gateways(nats_url) as (first, second):
        for number in range(5):
            name = f"t{number}"
            await first.config_writes.put("ann", ConfigType.POD_TEMPLATE, {name: {"spec": {}}}, NOTE)
            use = {"common_pod_template": [name]}
            outcomes = await asyncio.gather(
                first.config_writes.patch("ann", ConfigType.POOL, "default", use, NOTE),
                second.config_writes.delete("bob", ConfigType.POD_TEMPLATE, name, NOTE),
                return_exceptions=True,
            )
            refused = [one for one in outcomes if one is not None]
            assert len(refused) == 1
            assert isinstance(refused[0], Rejected)
            await first.config_writes.patch("ann", ConfigType.POOL, "default", {"common_pod_template": []}, NOTE)


async def test_a_first_start_is_written_once(nats_url: str) -> None:
    async with two_gateways(nats_url) as (first, second):
        for one in (first, second):
            assert {len(one.configs.book.revisions[kind]) for kind in (ConfigType.ROLE, ConfigType.POD_TEMPLATE)} == {1}
        with pytest.raises(Rejected):
            await first.config_writes.delete("ann", ConfigType.ROLE, "osmo-admin", NOTE)
