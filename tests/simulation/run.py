"""One seed from its beginning to its verdict."""

import asyncio
import hashlib
from dataclasses import dataclass, field

import msgspec
from tests.simulation.invariants import (
    check_history,
    check_outcome,
    check_preemptions,
    check_starts,
    check_views,
    folded,
)
from tests.simulation.people import breaker, restarter, user
from tests.simulation.virtual_time import Deadlock, Runaway, VirtualLoop, run_virtual
from tests.simulation.workload import SimulatedWorkflow
from tests.simulation.world import Logged, World

from osmo_domain.commit import encode_commit
from osmo_domain.workflow.status import WORKFLOW_FAILED, WORKFLOW_FINISHED
from osmo_views.ports import WorkflowFilter

PATIENCE_S = 3 * 3600
"""Virtual seconds after the last fault in which everything must have come to its end."""

ALL_STATUSES = tuple(WORKFLOW_FINISHED)


@dataclass
class Verdict:
    """`problems` is empty for a good run. `digest` names the whole history: equal digests, equal runs."""

    seed: int
    problems: list[str] = field(default_factory=list)
    workflows: int = 0
    pods: int = 0
    kills: int = 0
    virtual_s: float = 0
    digest: str = ""


def simulate(seed: int) -> Verdict:
    """Run the seed. A deadlock or an endless loop is a verdict, not an exception."""
    loop = VirtualLoop()
    try:
        return run_virtual(_run(seed, loop), loop)
    except (Deadlock, Runaway) as stuck:
        return Verdict(seed, [f"{type(stuck).__name__}: {stuck}"])


async def _run(seed: int, loop: VirtualLoop) -> Verdict:
    world = World(seed, loop)
    rng = world.random("run")
    async with world.running():
        people = [user(world, f"u{index}", rng.choice((1, 3, 6))) for index in range(rng.choice((1, 2, 4)))]
        breaking = asyncio.create_task(breaker(world, for_s=rng.choice((0, 60, 300))))
        asked = [workflow for some in await asyncio.gather(*people) for workflow in some]
        await breaking
        world.faults.calm()
        await _settled(world)
        restarts = await _restart_some(world, asked)
        await _settled(world)
        await asyncio.sleep(120)
        histories = await world.histories()
        return await _judge(world, asked, restarts, histories, loop.time())


async def _settled(world: World) -> None:
    """Wait until every workflow has ended, or patience has."""
    until = asyncio.get_running_loop().time() + PATIENCE_S
    while asyncio.get_running_loop().time() < until:
        histories = await world.histories()
        if all(folded(history).status in WORKFLOW_FINISHED for history in histories.values()):
            return
        await asyncio.sleep(5)


async def _restart_some(world: World, asked: list[SimulatedWorkflow]) -> dict[str, str]:
    """Failed workflow to the id of its restart."""
    histories = await world.histories()
    failed = [
        workflow.workflow_id
        for workflow in asked
        if workflow.workflow_id in histories and folded(histories[workflow.workflow_id]).status in WORKFLOW_FAILED
    ]
    return {failure: await restarter(world, "u0", failure) for failure in failed[:3]}


async def _judge(
    world: World,
    asked: list[SimulatedWorkflow],
    restarts: dict[str, str],
    histories: dict[str, list[Logged]],
    virtual_s: float,
) -> Verdict:
    problems = world.finding()
    for workflow in asked:
        if not workflow.workflow_id:
            problems.append(f"{workflow.name} was never taken: {workflow.refused or 'no answer'}")
        elif workflow.workflow_id not in histories:
            problems.append(f"{workflow.workflow_id} was promised, and is in no log")
        else:
            problems += check_outcome(workflow, histories[workflow.workflow_id])
    problems += [f"restart of {failed}: {answer}" for failed, answer in restarts.items() if answer not in histories]
    problems += _taken_once(asked, histories, restarts)
    for history in histories.values():
        problems += check_history(history)
        problems += check_preemptions(history)
    states = {workflow_id: folded(history) for workflow_id, history in histories.items()}
    by_uuid = {states[workflow_id].uuid: history for workflow_id, history in histories.items()}
    problems += check_starts(world.starts, by_uuid)
    rows = await world.views.workflows(WorkflowFilter(limit=10_000, statuses=ALL_STATUSES))
    problems += check_views(states, {row.workflow_id: row.status.value for row in rows})
    problems += await _lines_lost(world)
    problems += [f"pod of {pod.workflow_id}/{pod.task} was never removed" for pod in world.cluster.pods()]
    return Verdict(
        seed=world.seed,
        problems=problems,
        workflows=len(histories),
        pods=len(world.starts),
        kills=sum(process.lives - 1 for process in world.processes),
        virtual_s=virtual_s,
        digest=_digest(histories),
    )


async def _lines_lost(world: World) -> list[str]:
    """Every line that a task printed is stored, once and in order."""
    problems = [f"{ctrl.attempt} still has lines to tell" for ctrl in world.ctrls if not ctrl.done]
    for ctrl in world.ctrls:
        stored = await world.stored_lines(ctrl.attempt)
        if ctrl.done and stored != ctrl.lines:
            problems.append(
                f"{ctrl.attempt} printed {len(ctrl.lines)} lines, {len(stored)} are stored, or not the same"
            )
    return problems


def _taken_once(
    asked: list[SimulatedWorkflow], histories: dict[str, list[Logged]], restarts: dict[str, str]
) -> list[str]:
    """Idempotency: what was asked once is there once, however often it had to be asked."""
    known = {workflow.workflow_id for workflow in asked} | set(restarts.values())
    restarted = {failed.rsplit("-", 1)[0] for failed in restarts}
    return [
        f"{workflow_id} is in the log, and nobody was told of it"
        for workflow_id in histories
        if workflow_id not in known and workflow_id.rsplit("-", 1)[0] not in restarted
    ]


def _digest(histories: dict[str, list[Logged]]) -> str:
    digest = hashlib.sha256()
    for workflow_id in sorted(histories):
        for commit in histories[workflow_id]:
            digest.update(msgspec.json.encode(workflow_id) + encode_commit(commit))
    return digest.hexdigest()
