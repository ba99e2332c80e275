"""Whoever waits for a position is not kept waiting by whoever pauses between two."""

import asyncio

from osmo_gateway.arrivals import Arrivals

LONG_S = 60.0


async def test_a_pause_ends_when_somebody_begins_to_wait() -> None:
    arrivals = Arrivals()
    pausing = asyncio.create_task(arrivals.nobody_waits(LONG_S))
    await asyncio.sleep(0)
    assert not pausing.done()
    waiting = asyncio.create_task(arrivals.reached(1, within_s=LONG_S))
    async with asyncio.timeout(10):
        await pausing
    arrivals.arrive(1)
    assert await waiting


async def test_there_is_no_pause_while_somebody_waits() -> None:
    arrivals = Arrivals()
    waiting = asyncio.create_task(arrivals.reached(2, within_s=LONG_S))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await arrivals.nobody_waits(LONG_S)
        await arrivals.nobody_waits(LONG_S)
    arrivals.arrive(2)
    assert await waiting


async def test_a_pause_ends_by_itself() -> None:
    arrivals = Arrivals()
    async with asyncio.timeout(10):
        await arrivals.nobody_waits(0.001)
