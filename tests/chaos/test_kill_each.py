"""kill -9 of one part alone, ten times each, while `osmo up` goes on: every service, nats-server, PostgreSQL.

Kills come in bursts per part, the parts taken in turn: one that was left alone for a while starts again without a pause.
"""

import asyncio
import contextlib
import itertools
import random
import time

import aiohttp
import psutil
import pytest
from tests.chaos.checks import problems
from tests.chaos.serial import SerialRuns, diary, seeded
from tests.installation import SERVERS, SERVICES, Installation, NotReady, installation

BURSTS = (3, 3, 4)
LONGEST_S = 0.6
BACK_WITHIN_S = 30.0
ALIVE_AT_ONCE = 3


@pytest.mark.chaos
@pytest.mark.timeout(290)
async def test_killing_each_part_ten_times_loses_nothing_and_repeats_nothing() -> None:
    rng = seeded()
    with diary() as path, installation() as up:
        runs = SerialRuns(up.url, path)
        stop = asyncio.Event()
        submitting = asyncio.create_task(_keep_busy(runs, stop))
        parts = rng.sample([*SERVICES, *SERVERS], k=len(SERVICES) + len(SERVERS))
        for burst, part in itertools.product(BURSTS, parts):
            await _kill_often(up, part, burst, rng)
            if submitting.done():
                submitting.result()
        stop.set()
        await submitting
        await runs.wait_until_over(within_s=90)
        found = await problems(up, runs)
        assert not found, "\n".join([*found, up.said])


async def _kill_often(up: Installation, part: str, times: int, rng: random.Random) -> None:
    for _ in range(times):
        moment = rng.uniform(0, LONGEST_S)
        await asyncio.sleep(moment)
        killed = up.kill_part(part)
        took = await _until_back(up, part, killed)
        print(f"killed {part} after {moment:.3f} s, back in {took:.2f} s")


async def _until_back(up: Installation, part: str, killed: psutil.Process) -> float:
    """Until there is another process of it, and the whole answers again."""
    began = time.monotonic()
    while time.monotonic() < began + BACK_WITHIN_S:
        now = up.processes().get(part)
        if now is not None and now.pid != killed.pid and await _answers(up.url):
            return time.monotonic() - began
        await asyncio.sleep(0.02)
    raise NotReady(f"{part} is not back after {BACK_WITHIN_S} s: {up.said[-4000:]}")


async def _answers(url: str) -> bool:
    """A question that the gateway, PostgreSQL, NATS, submit and data must answer together."""
    spec = "workflow: {name: probe, tasks: [{name: a, image: a, command: [a]}]}"
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(url, headers={"x-osmo-user": "probe"}, timeout=timeout) as http:
            async with http.post(
                "/api/pool/default/workflow", params={"validation_only": "true"}, json={"file": spec}
            ) as answer:
                validated = answer.status == 200
            async with http.get("/api/workflow", params={"all_users": "true", "all_pools": "true"}) as answer:
                return validated and answer.status == 200
    return False


async def _keep_busy(runs: SerialRuns, stop: asyncio.Event) -> None:
    """There are always workflows on their way; submissions go on through every outage."""
    while not stop.is_set():
        with contextlib.suppress(aiohttp.ClientError, AssertionError):
            if await runs.alive() >= ALIVE_AT_ONCE:
                await asyncio.sleep(0.2)
                continue
        await runs.submit()
