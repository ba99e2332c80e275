"""Quotas are counted anew when work starts or ends, and when nodes come or go."""

import asyncio
from datetime import timedelta

from services.gateway.tests.gateway_house import GIB, T0, House, ended, open_house, started, submitted

from osmo_api.http import PoolQuotaAnswer
from osmo_domain.cluster import NodeFact, NodeSeen


async def total(house: House) -> tuple[str, str, str]:
    """Used, all and free GPUs, a while later."""
    house.clock.at += timedelta(seconds=1)
    quota = await house.client.get(PoolQuotaAnswer, "/api/pool_quota")
    found = quota.resource_sum
    return found.total_usage, found.total_capacity, found.total_free


async def test_quotas_follow_what_runs_and_which_nodes_are_there() -> None:
    async with open_house() as house:
        assert [await total(house) for _ in range(2)] == [("0", "16", "15")] * 2
        await house.append("w-1", submitted(), *started())
        assert await total(house) == ("1", "16", "14")
        before = house.gateway.estate.layout
        g3 = NodeFact("g3", T0, cpu=64, gpu=8, memory_bytes=256 * GIB, storage_bytes=GIB, labels={"kind": "gpu"})
        await house.see(NodeSeen(g3), kind="node", name="g3")
        async with asyncio.timeout(5):
            while house.gateway.estate.layout is before:
                await asyncio.sleep(0.001)
        assert await total(house) == ("1", "24", "22")
        await house.append("w-1", *ended())
        assert await total(house) == ("0", "24", "23")
