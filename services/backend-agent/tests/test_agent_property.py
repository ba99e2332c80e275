"""Whatever breaks in whatever order: each attempt gets one pod, every end is reported, and the log quiets down."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.simulation.faults import SeededFaults, weather

from osmo_domain.errors import Transient

Run = Callable[..., Any]


@pytest.mark.parametrize("seed", range(30))
def test_each_attempt_is_made_once_and_its_end_is_reported(run_world: Run, seed: int) -> None:
    """Agents crash with work in hand, links are cut, messages are lost, late and repeated; groups are created, and some deleted."""
    faults = SeededFaults(random.Random(seed), weather(random.Random(seed)), spared="test")

    async def main(world: Any) -> None:
        rng = world.rng
        kept, deleted = [f"k{n}" for n in range(25)], [f"d{n}" for n in range(10)]
        harm = asyncio.create_task(crash_and_cut(world, rng))
        for name in rng.sample(kept + deleted, len(kept) + len(deleted)):
            times = {"SIM_SECONDS": str(rng.choice((0, 1, 20))), "SIM_START_SECONDS": str(rng.choice((0, 3)))}
            await world.tell(world.create(name, SIM_EXIT_CODE=str(rng.choice((0, 1))), **times))
            if name in deleted:
                await asyncio.sleep(rng.random() * 3)
                await world.tell(world.delete(name))
            await asyncio.sleep(rng.random() * 2)
        await harm
        faults.calm()
        await world.start()
        await world.until(lambda: quiet(world))
        await asyncio.sleep(60)
        for name in kept:
            phases = await world.phases(name)
            assert phases[-1] in {"SUCCEEDED", "FAILED"}, (name, phases)
            ends = {phase for phase in phases if phase in {"SUCCEEDED", "FAILED"}}
            assert len(ends) == 1, (name, phases)
        made = [uuid for uuid, _, _ in world.made]
        assert len(made) == len(set(made)), "no attempt gets two pods"
        assert {pod.workflow_uuid for pod in world.cluster.pods()} == {f"uuid-{name}" for name in kept}
        last = (await world.inventories())[-1]
        assert {uuid for uuid, _, _ in last.pods} == {f"uuid-{name}" for name in kept}

    run_world(main, seed=seed, faults=faults)


async def crash_and_cut(world: Any, rng: random.Random) -> None:
    for _ in range(rng.randint(2, 6)):
        agent = await world.start(ready=False)
        await asyncio.sleep(rng.random() * 15)
        if rng.random() < 0.5:
            agent.connection.cut()
            await asyncio.sleep(rng.random() * 40)
            agent.connection.heal()
            await asyncio.sleep(rng.random() * 5)
        agent.crash()


async def quiet(world: Any) -> bool:
    try:
        return not await world.commands_left()
    except Transient:
        return False
