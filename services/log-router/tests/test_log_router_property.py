"""Whatever breaks in whatever order: what a control container sent is what the log holds, each line once and in order."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.simulation.faults import SeededFaults, weather

from osmo_log_router.attempt import Attempt

Run = Callable[..., Any]
PHASES = ["CONNECTED", "DOWNLOADING", "DOWNLOADED", "EXECUTING", "EXECUTED", "UPLOADING", "UPLOADED"]


@pytest.mark.parametrize("seed", range(150))
def test_stored_lines_are_the_sent_lines(run_world: Run, make_ctrl: Any, seed: int) -> None:
    """Connections break at random frames, routers die with work in hand, two routers serve one attempt at once, the link loses and repeats."""
    faults = SeededFaults(random.Random(seed), weather(random.Random(seed)), spared="test")

    async def main(world: Any) -> None:
        rng = world.rng
        await _retrying(lambda: world.submit("wf-1"))
        attempts = [Attempt("wf-1", name, 0) for name in ("a", "b")]
        ctrls = [
            make_ctrl(attempt, [f"{attempt.task} {n}" for n in range(rng.randint(0, 300))], PHASES, rng)
            for attempt in attempts
        ]
        async with asyncio.timeout(3600):
            await asyncio.gather(*(_tell_all(world, ctrl, rng) for ctrl in ctrls))
        faults.calm()
        for ctrl in ctrls:
            assert await world.texts(ctrl.attempt) == ctrl.lines
            assert (await world.batches(ctrl.attempt))[-1].end
            assert await world.reports(ctrl.attempt) == PHASES
            assert ctrl.byes == []

    run_world(main, seed=seed, faults=faults)


async def _tell_all(world: Any, ctrl: Any, rng: random.Random) -> None:
    """Through one router after the other. Each is abandoned at a random moment, some while the next one serves already."""
    abandoned: list[asyncio.Task[None]] = []
    while not ctrl.done:
        patient = ctrl.connections > 8
        name = f"log-router-{ctrl.attempt.task}-{ctrl.connections}"
        life = asyncio.create_task(_one_router(world, ctrl, name, None if patient else rng.randint(0, 12)))
        if not patient and rng.random() < 0.4:
            await asyncio.sleep(rng.random() * 0.3)
            if rng.random() < 0.5:
                life.cancel()
            abandoned.append(life)
        else:
            await life
    await asyncio.gather(*abandoned, return_exceptions=True)


async def _one_router(world: Any, ctrl: Any, name: str, frames: int | None) -> None:
    async with world.router(name) as app:
        await ctrl.connect(app, frames=frames)


async def _retrying(call: Callable[[], Any]) -> None:
    from osmo_domain.errors import Transient

    while True:
        try:
            await call()
        except Transient:
            continue
        return
