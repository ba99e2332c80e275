"""Quotas and preemption as the scheduler carries them out: events, commands, places that are kept, pools that change."""

import asyncio
from typing import Any

from libs.domain.tests.life import gang, plan, single, task
from msgspec.structs import replace
from services.scheduler.tests.world import BACKEND, World, in_a_world

from osmo_domain.cluster import PodPhase
from osmo_domain.plan import Plan, Resources
from osmo_domain.pool import GpuQuota, Pool, Priority
from osmo_domain.workflow.events import GroupPlaced, TaskPreempted
from osmo_domain.workflow.status import WorkflowStatus

GPUS_8 = Resources(gpu=8)
RESCHEDULE = {"RESCHEDULE": "3006"}


def one(pool: str, priority: Priority = Priority.NORMAL, resources: Resources = GPUS_8, **fields: Any) -> Plan:
    return replace(plan(single("a", resources=resources), **fields), pool=pool, priority=priority)


async def two_pools(world: World, **quotas: GpuQuota) -> None:
    for name in ("mine", "yours"):
        await world.set_pool(Pool(name=name, backend=BACKEND, gpu=quotas.get(name, GpuQuota(guarantee=8))))


async def run(world: World, *workflows: str) -> None:
    """What is placed runs."""
    for workflow in workflows:
        await world.until_task(workflow, "a", "SCHEDULING")
    await world.cluster.take_commands()
    await world.cluster.move(PodPhase.RUNNING)
    for workflow in workflows:
        await world.until_task(workflow, "a", "RUNNING")


async def quota_of(world: World, workflow: str) -> str:
    events = [event for commit in await world.commits(workflow) for event in commit.events]
    return next(event.quota for event in events if isinstance(event, GroupPlaced))


def test_normal_work_beyond_the_quota_waits_and_the_same_as_low_runs_at_once() -> None:
    async def story(world: World) -> None:
        await world.set_pool(Pool(name="mine", backend=BACKEND, gpu=GpuQuota(guarantee=10)))
        await (await world.start()).ready()
        await world.submit("first-1", one("mine"))
        await run(world, "first-1")
        await world.submit("normal-1", one("mine", resources=Resources(gpu=4)))
        await world.submit("low-1", one("mine", Priority.LOW, resources=Resources(gpu=4)))
        await world.until_task("low-1", "a", "SCHEDULING")
        code, message = (await world.explain("normal-1"))["a"]
        assert code == "quota"
        assert "8 of the 10" in message
        assert (await quota_of(world, "first-1"), await quota_of(world, "low-1")) == ("guarantee", "borrowed")
        await world.set_pool(Pool(name="mine", backend=BACKEND, gpu=GpuQuota(guarantee=12)))
        await world.until_task("normal-1", "a", "SCHEDULING")

    in_a_world(story)


def test_the_owner_gets_what_was_borrowed_and_nobody_else_does() -> None:
    async def story(world: World) -> None:
        await two_pools(world)
        await (await world.start()).ready()
        await world.submit("low-1", one("yours", Priority.LOW))
        await world.submit("low-2", one("yours", Priority.LOW))
        await run(world, "low-1", "low-2")
        await world.submit("owner-1", one("mine"))
        await world.submit("low-3", one("yours", Priority.LOW, resources=Resources(gpu=1)))
        (victim,) = await asyncio.gather(first_over(world, "low-1", "low-2"))
        state = await world.state(victim)
        attempt = state.tasks["a"].attempt
        assert state.status is WorkflowStatus.FAILED_PREEMPTED
        assert (attempt.status.value, attempt.exit_code, attempt.reason) == ("FAILED_PREEMPTED", 3006, "preempted")
        assert "owner-1/a" in attempt.message
        events = [event for commit in await world.commits(victim) for event in commit.events]
        assert [event.by for event in events if isinstance(event, TaskPreempted)] == ["owner-1/a"]
        assert (await world.state("owner-1")).tasks["a"].status.value == "PROCESSING", "its place is not free yet"
        assert (await world.explain("owner-1"))["a"][0] == "preempting"
        await world.cluster.take_commands()
        assert [command.workflow_id for command in world.cluster.deleted] == [victim]
        await world.cluster.inventory()
        await world.until_task("owner-1", "a", "SCHEDULING")
        assert await quota_of(world, "owner-1") == "guarantee"
        assert (await world.state("owner-1")).tasks["a"].attempt.node == attempt.node
        assert (await world.state("low-3")).tasks["a"].status.value == "PROCESSING"

    in_a_world(story)


async def first_over(world: World, *workflows: str) -> str:
    found: list[str] = []

    async def holds() -> bool:
        states = [await world.state(each) for each in workflows]
        found[:] = [each.workflow_id for each in states if each.ended_at is not None]
        return bool(found)

    await world.until(holds)
    assert len(found) == 1, "nobody is stopped without need"
    return found[0]


def test_a_preempted_gang_goes_as_a_whole_and_goes_again_where_the_pool_says_so() -> None:
    async def story(world: World) -> None:
        await two_pools(world, mine=GpuQuota(guarantee=16), yours=GpuQuota(guarantee=0))
        await (await world.start()).ready()
        members = (task("a", resources=GPUS_8), task("b", lead=False, resources=GPUS_8))
        low = plan(gang("g", *members), default_exit_actions=RESCHEDULE)
        await world.submit("gang-1", replace(low, pool="yours", priority=Priority.LOW))
        await run(world, "gang-1")
        await world.submit("owner-1", one("mine"))
        await world.until_attempt("gang-1", "a", 1)
        state = await world.state("gang-1")
        assert {name: each.attempt.retry_id for name, each in state.tasks.items()} == {"a": 1, "b": 1}
        assert {each.earlier[0].exit_code for each in state.tasks.values()} == {3006}
        assert not any(each.earlier[0].restarts for each in state.tasks.values()), (
            "nobody is left to run again in place"
        )
        await world.cluster.take_commands()
        await world.cluster.inventory()
        await run(world, "owner-1")
        assert (await world.explain("gang-1"))["g"][0] == "capacity"
        await world.cluster.end()
        await world.until_task("gang-1", "a", "SCHEDULING")
        await world.until_task("gang-1", "b", "SCHEDULING")
        assert (await world.state("gang-1")).priority is Priority.LOW

    in_a_world(story)


def test_a_scheduler_that_takes_over_in_between_keeps_the_place_closed_until_the_pod_has_left() -> None:
    async def story(world: World) -> None:
        await two_pools(world, yours=GpuQuota(guarantee=0))
        scheduler = await (await world.start(instance="one")).ready()
        low = one("yours", Priority.LOW, default_exit_actions=RESCHEDULE)
        await world.submit("low-1", low)
        await world.submit("firm-1", one("yours"))
        await world.submit("low-2", low)
        await run(world, "low-1", "low-2")
        await world.submit("owner-1", one("mine"))
        await asyncio.sleep(1)
        await scheduler.kill()
        await world.connection.snapshots.put("scheduler-0", b"")
        await (await world.start(instance="one")).ready()
        await asyncio.sleep(5)
        assert (await world.state("owner-1")).tasks["a"].status.value == "PROCESSING"
        await world.cluster.take_commands()
        await world.cluster.inventory()
        await world.until_task("owner-1", "a", "SCHEDULING")
        left = [each for each in ("low-1", "low-2") if (await world.state(each)).tasks["a"].status.value == "RUNNING"]
        assert len(left) == 1

    in_a_world(story)
