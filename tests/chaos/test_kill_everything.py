"""kill -9 of the whole control plane: supervisor, services, nats-server and PostgreSQL, at random moments of running workflows."""

import asyncio

import pytest
from tests.chaos.checks import problems
from tests.chaos.serial import SerialRuns, diary, seeded
from tests.installation import installation

KILLS = 10
LONGEST_S = 3.5
"""About the life of one workflow: a moment anywhere in it."""


@pytest.mark.chaos
@pytest.mark.timeout(280)
async def test_killing_the_whole_control_plane_ten_times_loses_nothing_and_repeats_nothing() -> None:
    rng = seeded()
    with diary() as path, installation() as up:
        runs = SerialRuns(up.url, path)
        for number in range(KILLS):
            asked = asyncio.create_task(runs.submit())
            moment, away = rng.uniform(0, LONGEST_S), rng.choice((0.0, 0.0, rng.uniform(0, 2)))
            await asyncio.sleep(moment)
            up.kill()
            await asyncio.sleep(away)
            took = await asyncio.to_thread(up.start)
            print(f"kill {number}: {moment:.3f} s after a submission, away {away:.3f} s, ready again in {took:.2f} s")
            await asked
        await runs.wait_until_over(within_s=90)
        found = await problems(up, runs)
        assert not found, "\n".join([*found, up.said])
