"""Nothing is lost, done twice or stuck when the scheduler dies, is replaced, or hears things twice, late or never."""

import asyncio
import random
from typing import Any

import pytest
from libs.domain.tests.life import gang, plan, single, task
from services.scheduler.tests.test_scheduler_life import living
from services.scheduler.tests.world import BACKEND, World, in_a_world

from osmo_domain.cluster import BackendRemoved, PodPhase, PodsSeen
from osmo_domain.errors import Transient
from osmo_domain.plan import Resources
from osmo_domain.workflow.status import PLACED, WorkflowStatus
from osmo_eventlog import subjects

SERIAL = plan(*(single(f"t{n}", *([f"t{n - 1}"] if n else [])) for n in range(5)))


async def all_is_well(world: World, *workflow_ids: str) -> None:
    """The workflows end COMPLETED, no attempt had two pods, and in the end no pod is left."""
    async with living(world):
        ended = await world.until_over(*workflow_ids)
        assert {state.status for state in ended} == {WorkflowStatus.COMPLETED}
        assert {state.ignored for state in ended} == {0}

        async def cleaned() -> bool:
            await world.cluster.inventory()
            await asyncio.sleep(30)
            return not world.cluster.pods

        await world.until(cleaned, within_s=600)
    assert len(world.cluster.made) == len(set(world.cluster.made)), "a task ran twice in one attempt"


@pytest.mark.parametrize("keep_snapshot", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_any_moment_and_started_again(seed: int, keep_snapshot: bool) -> None:
    async def story(world: World) -> None:
        rng = random.Random(seed)
        scheduler = await (await world.start(instance="one", snapshot_commits=1, snapshot_every_s=0)).ready()
        await world.submit("wf-1", SERIAL)
        await world.submit("wf-2", plan(gang("g", task("lead"), task("side", lead=False))))
        async with living(world, step_s=0.1):
            for _ in range(4):
                await asyncio.sleep(rng.random() * 0.7)
                await scheduler.kill()
                if not keep_snapshot:
                    await world.connection.snapshots.put("scheduler-0", b"")
                scheduler = await world.start(instance="one", snapshot_commits=1, snapshot_every_s=0)
        await scheduler.ready()
        await all_is_well(world, "wf-1", "wf-2")

    in_a_world(story)


def test_a_clean_stop_leaves_a_snapshot_and_the_lease() -> None:
    async def story(world: World) -> None:
        first = await (await world.start()).ready()
        await world.submit("wf-1", SERIAL)
        await world.until_task("wf-1", "t0", "SCHEDULING")
        await world.cluster.take_commands()
        await first.stop()
        assert await world.connection.snapshots.get("scheduler-0")
        await world.cluster.move(PodPhase.RUNNING)
        before = world.clock.now()
        await (await world.start()).ready()
        assert (world.clock.now() - before).total_seconds() < 1, "it need not wait for the lease to run out"
        await all_is_well(world, "wf-1")

    in_a_world(story)


def test_a_standby_takes_over_when_the_leader_dies_and_its_commands_carry_a_newer_epoch() -> None:
    async def story(world: World) -> None:
        leader = await (await world.start(instance="one")).ready()
        standby = await world.start(instance="two")
        await world.submit("wf-1", SERIAL)
        await world.until_task("wf-1", "t0", "SCHEDULING")
        assert standby.app is not None
        assert not standby.app.ready.is_set()
        await leader.kill()
        await standby.ready()
        await all_is_well(world, "wf-1")
        assert sorted({command.epoch for command in world.cluster.created}) == [1, 2]

    in_a_world(story)


def test_a_leader_that_is_cut_off_stops_and_stands_by_again() -> None:
    async def story(world: World) -> None:
        leader = await (await world.start(instance="one")).ready()
        leader.connection.cut()
        second = await (await world.start(instance="two")).ready()
        await world.submit("wf-1", SERIAL)
        leader.connection.heal()
        await asyncio.sleep(30)
        assert leader.app is not None
        assert not leader.app.ready.is_set()
        await second.stop()
        await leader.ready()
        await all_is_well(world, "wf-1")

    in_a_world(story)


def test_what_happened_while_nobody_was_in_office_is_caught_up() -> None:
    async def story(world: World) -> None:
        first = await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a"), start_timeout_s=60))
        await world.submit("wf-2", plan(single("a")))
        await world.until_task("wf-2", "a", "SCHEDULING")
        await world.cluster.take_commands()
        await world.cluster.move(PodPhase.INITIALIZING)
        await world.until_task("wf-1", "a", "INITIALIZING")
        await first.kill()
        await asyncio.sleep(1)
        await world.cluster.move(PodPhase.RUNNING)
        await world.cancel("wf-2")
        await asyncio.sleep(300)
        await world.cluster.end()
        await (await world.start()).ready()
        one, two = await world.until_over("wf-1", "wf-2")
        assert one.status is WorkflowStatus.COMPLETED, "its start timeout passed unseen, but it had started in time"
        assert two.status is WorkflowStatus.FAILED_CANCELED, "it was asked for before the task ended"

    in_a_world(story)


def test_facts_that_come_twice_late_and_in_disorder_change_nothing() -> None:
    async def story(world: World) -> None:
        rng = random.Random(3)
        await (await world.start()).ready()
        world.cluster.outcomes["t1", 0] = 1
        flaky = plan(single("t0"), single("t1", "t0", exit_actions={"RESCHEDULE": "1"}), single("t2", "t1"))
        await world.submit("wf-1", flaky)
        said: list[Any] = []
        tell = world.cluster.say

        async def tell_and_remember(kind: str, fact: Any, name: str = "_") -> None:
            if isinstance(fact, PodsSeen):
                said.append(fact)
            await tell(kind, fact, name)

        world.cluster.say = tell_and_remember  # type: ignore[method-assign]

        async def gossip() -> None:
            while True:
                await asyncio.sleep(0.05)
                if said:
                    await tell("pods", rng.choice(said))

        gossiping = asyncio.create_task(gossip())
        try:
            async with living(world):
                (state,) = await world.until_over("wf-1")
        finally:
            gossiping.cancel()
        assert state.status is WorkflowStatus.COMPLETED
        assert state.tasks["t1"].attempt.retry_id == 1
        assert state.ignored == 0

    in_a_world(story)


def test_a_pod_that_vanished_unseen_is_found_missing_by_the_inventory() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("seen-1", plan(single("a")))
        await world.submit("unseen-1", plan(single("a", exit_actions={"RESCHEDULE": "3001"})))
        await world.until_task("unseen-1", "a", "SCHEDULING")
        await world.cluster.inventory()
        await asyncio.sleep(1)
        assert (await world.state("seen-1")).tasks["a"].status in PLACED, (
            "the agent has not carried out its command yet"
        )
        await world.cluster.take_commands()
        uuids = {pod.workflow_id: key for key, pod in world.cluster.pods.items()}
        world.cluster.pods.pop(uuids["unseen-1"])
        await world.cluster.move(PodPhase.RUNNING)
        await world.until_task("seen-1", "a", "RUNNING")
        await world.cluster.inventory()
        await world.until_attempt("unseen-1", "a", 1)
        assert (await world.state("seen-1")).tasks["a"].status.value == "RUNNING"
        world.cluster.pods.pop(uuids["seen-1"])
        await asyncio.sleep(1)
        await world.cluster.inventory()
        (state,) = await world.until_over("seen-1")
        assert (state.tasks["a"].status.value, state.tasks["a"].attempt.exit_code) == ("FAILED_BACKEND_ERROR", 3001)

    in_a_world(story)


def test_a_pod_that_nobody_needs_is_deleted_again() -> None:
    async def story(world: World) -> None:
        first = await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a")))
        async with living(world):
            await world.until_over("wf-1")
        await world.cluster.take_commands()
        await first.kill()
        await world.connection.snapshots.put("scheduler-0", b"")
        await (await world.start(instance="again")).ready()
        stray = next(iter(world.cluster.made))
        world.cluster.pods[stray] = None  # type: ignore[assignment]
        await world.cluster.inventory()
        await asyncio.sleep(1)
        await world.cluster.take_commands()
        assert world.cluster.pods == {}

    in_a_world(story)


def test_the_pods_of_a_node_that_is_gone_are_lost() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a", exit_actions={"RESCHEDULE": "3001"})))
        await world.until_task("wf-1", "a", "SCHEDULING")
        await world.cluster.take_commands()
        await world.cluster.move(PodPhase.RUNNING)
        await world.until_task("wf-1", "a", "RUNNING")
        node = (await world.state("wf-1")).tasks["a"].attempt.node
        await world.cluster.tell_node(node, gone=True)
        await world.until_attempt("wf-1", "a", 1)
        await world.until_task("wf-1", "a", "SCHEDULING")
        assert (await world.state("wf-1")).tasks["a"].attempt.node != node

    in_a_world(story)


def test_what_runs_on_a_backend_that_is_deleted_fails_and_nothing_is_placed_there() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a"), single("b", exit_actions={"RESCHEDULE": "3001"})))
        for name in ("a", "b"):
            await world.until_task("wf-1", name, "SCHEDULING")
        await world.cluster.take_commands()
        await world.cluster.move(PodPhase.RUNNING)
        await world.until_task("wf-1", "a", "RUNNING")
        await world.cluster.say("registered", BackendRemoved(BACKEND, world.clock.now()))
        await world.until_task("wf-1", "a", "FAILED_BACKEND_ERROR")
        await world.until_attempt("wf-1", "b", 1)
        await asyncio.sleep(30)
        assert (await world.state("wf-1")).tasks["b"].status == "PROCESSING"

    in_a_world(story)


def test_nothing_is_placed_on_a_backend_that_is_offline() -> None:
    async def story(world: World) -> None:
        await asyncio.sleep(1)
        beating = world._tasks.pop()
        beating.cancel()
        await asyncio.sleep(300)
        await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a")))
        await world.until_task("wf-1", "a", "PROCESSING")
        assert (await world.explain("wf-1"))["a"][0] == "backend_offline"
        world._tasks.append(asyncio.create_task(world.cluster.beat()))
        await world.until_task("wf-1", "a", "SCHEDULING")

    in_a_world(story)


class Weather:
    """Loses, delays and repeats at random."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    async def before(self, client: str, operation: str, subject: str) -> None:
        await self._harm(client)

    async def after(self, client: str, operation: str, subject: str) -> None:
        await self._harm(client)

    async def _harm(self, client: str) -> None:
        if client == "scheduler":
            await asyncio.sleep(self._rng.random() * 0.02)
            if self._rng.random() < 0.1:
                raise Transient("weather", delay_s=0.05)

    def strays(self, client: str, operation: str, subject: str) -> tuple[float, ...]:
        stray = client == "scheduler" and operation in ("append", "publish") and self._rng.random() < 0.2
        return (self._rng.random() * 20,) if stray else ()


@pytest.mark.parametrize("seed", range(10))
def test_in_bad_weather_with_deaths(seed: int) -> None:
    async def story(world: World) -> None:
        rng = random.Random(seed)
        scheduler = await (await world.start(instance="one", snapshot_commits=3, snapshot_every_s=0)).ready()
        names = [f"wf-{n}" for n in range(1, 5)]
        for name in names:
            await world.submit(name, SERIAL)
        async with living(world, step_s=0.3):
            for _ in range(3):
                await asyncio.sleep(rng.random() * 3)
                await scheduler.kill()
                scheduler = await world.start(instance="one", snapshot_commits=3, snapshot_every_s=0)
        await scheduler.ready()
        await all_is_well(world, *names)

    in_a_world(story, Weather(seed))  # type: ignore[arg-type]


def test_a_cancel_that_races_with_decisions_is_never_lost() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        names = [f"wf-{n}" for n in range(1, 30)]
        for name in names:
            await world.submit(name, SERIAL)

        async def cancel_all() -> None:
            for name in names:
                await asyncio.sleep(0.1)
                await world.cancel(name)

        cancelling = asyncio.create_task(cancel_all())
        async with living(world, step_s=0.2):
            ended = await world.until_over(*names)
        await cancelling
        assert {state.status for state in ended} <= {WorkflowStatus.COMPLETED, WorkflowStatus.FAILED_CANCELED}
        last = await world.log.last(subjects.WORKFLOWS, subjects.workflows_of_shard(0))
        assert last is not None

    in_a_world(story)


@pytest.mark.parametrize("restart", ["no", "snapshot", "nothing"])
def test_a_place_is_not_given_away_before_its_pod_has_left(restart: str) -> None:
    async def story(world: World) -> None:
        scheduler = await (await world.start(instance="one")).ready()
        await world.submit("first-1", plan(single("a", resources=Resources(gpu=8))))
        await world.submit("first-2", plan(single("a", resources=Resources(gpu=8))))
        await world.until_task("first-2", "a", "SCHEDULING")
        await world.cluster.take_commands()
        await world.cluster.move(PodPhase.RUNNING)
        await world.until_task("first-2", "a", "RUNNING")
        await world.cancel("first-1")
        await world.until_over("first-1")
        if restart != "no":
            await scheduler.stop()
            if restart == "nothing":
                await world.connection.snapshots.put("scheduler-0", b"")
            await (await world.start(instance="one")).ready()
        await world.submit("second-1", plan(single("a", resources=Resources(gpu=8))))
        await asyncio.sleep(5)
        assert (await world.explain("second-1"))["a"][0] == "preempting"
        await world.cluster.inventory()
        await asyncio.sleep(5)
        assert (await world.explain("second-1"))["a"][0] == "preempting", "the pod is still listed"
        await world.cluster.take_commands()
        await world.cluster.inventory()
        await world.until_task("second-1", "a", "SCHEDULING")

    in_a_world(story)
