"""A cancellation that comes together with an answer still ends the reader."""

import asyncio
import random
from contextlib import aclosing

import pytest

from osmo_eventlog import subjects
from osmo_eventlog.nats import apply_streams, connect
from osmo_eventlog.nats.cancelling import heeding_cancellation
from osmo_eventlog.ports import After, EventLog


async def test_a_cancellation_beside_an_answer_is_not_lost() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def as_nats_py_asks() -> str:
        return await asyncio.wait_for(answer, 10)

    asking = asyncio.create_task(heeding_cancellation(as_nats_py_asks()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answer.set_result("answered")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def _read(log: EventLog) -> None:
    async with aclosing(log.follow(subjects.LOGS, ["osmo.log.w.t.0"], After(0))) as batches:
        async for _ in batches:
            pass


async def test_a_follower_ends_at_whatever_moment_it_is_cancelled(nats_url: str) -> None:
    async with connect(nats_url, name="t", rng=random.Random(1)) as connection:
        await apply_streams(connection)
        for moment in range(300):
            reader = asyncio.create_task(_read(connection.log))
            answered = asyncio.create_task(connection.log.last(subjects.LOGS, "osmo.log.w.t.0"))
            await asyncio.sleep(moment * 10e-6)
            await answered
            reader.cancel()
            async with asyncio.timeout(10):
                await asyncio.gather(reader, return_exceptions=True)
