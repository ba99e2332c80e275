"""Those who act on the world: users who submit, cancel and restart, and the one who kills processes and cuts links."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.simulation.workload import SimulatedWorkflow, random_workflow
from tests.simulation.world import POOL, POOLS, World

from osmo_domain.errors import Rejected, Transient
from osmo_domain.requests import CancelRequest, RestartRequest, SubmitRequest
from osmo_eventlog.memory.link import Crashed
from osmo_gateway.gateway import Gateway

T = TypeVar("T")

UNAVAILABLE = 503


async def user(world: World, name: str, workflows: int) -> list[SimulatedWorkflow]:
    """Submit some workflows, with pauses; cancel some of them; try each thing again until it is answered."""
    rng = world.random("user", name)
    asked: list[SimulatedWorkflow] = []
    for number in range(workflows):
        await asyncio.sleep(rng.random() * rng.choice((0.1, 5, 30)))
        workflow = random_workflow(rng, f"{name}w{number}", f"{name}/{number}", POOLS)
        world.gpus_of.update({(workflow.name, task.name): task.gpus for task in workflow.tasks})
        asked.append(workflow)
        await _submit(world, rng, name, workflow)
        if workflow.workflow_id and rng.random() < 0.15:
            await asyncio.sleep(rng.random() * 10)
            await _cancel(world, rng, name, workflow)
    return asked


async def restarter(world: World, name: str, failed: str) -> str:
    """Restart a failed workflow, as its user; the id of the new one, or why it was refused."""
    request = RestartRequest(pool=POOL, user=name, workflow_id=failed)
    try:
        answer = await _until_answered(
            world, world.random("restart", failed), lambda gw: gw.front_door.restart(request)
        )
    except Rejected as refused:
        return f"refused: {refused.message}"
    return answer.name


async def _submit(world: World, rng: random.Random, name: str, workflow: SimulatedWorkflow) -> None:
    request = SubmitRequest(
        pool=workflow.pool, user=name, file=workflow.yaml(), priority=workflow.priority, idempotency_key=workflow.key
    )
    try:
        answer = await _until_answered(world, rng, lambda gateway: gateway.front_door.submit(request))
    except Rejected as refused:
        workflow.refused = refused.code
        return
    workflow.workflow_id = answer.name


async def _cancel(world: World, rng: random.Random, name: str, workflow: SimulatedWorkflow) -> None:
    workflow.cancel_asked = True
    request = CancelRequest(user=name, workflow_id=workflow.workflow_id, force=rng.random() < 0.3)
    try:
        await _until_answered(world, rng, lambda gateway: gateway.front_door.cancel(request))
    except Rejected:
        return  # it had ended already, perhaps by our own earlier try


async def _until_answered(world: World, rng: random.Random, ask: Callable[[Gateway], Awaitable[T]]) -> T:
    while True:
        gateway = world.gateway
        if gateway is not None:
            try:
                return await ask(gateway)
            except (Transient, Crashed):
                pass
            except Rejected as refused:
                if refused.http_status != UNAVAILABLE:
                    raise
        await asyncio.sleep(0.2 + rng.random())


async def breaker(world: World, for_s: float) -> None:
    """Kill and cut at random for so long; leaves every link healed."""
    rng = world.random("breaker")
    pause_s = rng.choice((2.0, 10.0, 60.0))
    until = asyncio.get_running_loop().time() + for_s
    while asyncio.get_running_loop().time() < until:
        await asyncio.sleep(rng.random() * pause_s)
        process = rng.choice(world.processes)
        if rng.random() < 0.6:
            process.kill()
            continue
        process.cut()
        await asyncio.sleep(rng.random() * rng.choice((1, 15, 40)))
        process.heal()
    for process in world.processes:
        process.heal()
