"""The scheduler drives workflows from submission to the end, on the memory twin, with a cluster that does what it is told."""

import asyncio
import contextlib
from typing import Any

from libs.domain.tests.life import gang, plan, single, task
from services.scheduler.tests.world import KEY, World, in_a_world

from osmo_domain.cluster import PodPhase
from osmo_domain.plan import Resources
from osmo_domain.report import TaskPhase
from osmo_domain.task_token import token_matches
from osmo_domain.workflow.events import GroupPlaced, GroupQueued
from osmo_domain.workflow.status import WorkflowStatus
from osmo_eventlog import subjects

GPUS_8 = Resources(gpu=8)


@contextlib.asynccontextmanager
async def living(world: World, **fields: Any) -> Any:
    task = asyncio.create_task(world.cluster.live(**fields))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_one_task_is_placed_run_and_finished() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a")))
        await world.until_task("wf-1", "a", "SCHEDULING")
        assert await world.cluster.take_commands() == 1
        (create,) = world.cluster.created
        assert token_matches(KEY, "wf-1", "a", 0, create.tokens["a"])
        assert (create.pool, create.user, create.epoch) == ("default", "ann", 1)
        assert create.nodes["a"].startswith("node-")
        await world.cluster.move(PodPhase.INITIALIZING)
        await world.until_task("wf-1", "a", "INITIALIZING")
        await world.report("wf-1", "a", TaskPhase.DOWNLOADING)
        await world.cluster.move(PodPhase.RUNNING)
        await world.until_task("wf-1", "a", "RUNNING")
        await world.cluster.end()
        (state,) = await world.until_over("wf-1")
        assert state.status is WorkflowStatus.COMPLETED
        assert state.tasks["a"].attempt.download_started_at is not None
        await world.cluster.take_commands()
        assert world.cluster.pods == {}
        commits = await world.commits("wf-1")
        assert [type(event) for event in commits[1].events] == [GroupQueued, GroupPlaced], "one round is one commit"
        assert commits[1].actor == "scheduler"

    in_a_world(story)


def test_a_chain_a_gang_and_a_failure_beside_each_other() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        world.cluster.outcomes["bad", 0] = 3
        await world.submit("chain-1", plan(single("a"), single("b", "a"), single("c", "b")))
        await world.submit("gang-1", plan(gang("g", task("lead"), task("side", lead=False))))
        await world.submit("bad-1", plan(single("bad"), single("after", "bad")))
        async with living(world):
            chain, team, bad = await world.until_over("chain-1", "gang-1", "bad-1")
        assert chain.status is WorkflowStatus.COMPLETED
        assert team.status is WorkflowStatus.COMPLETED
        assert bad.status is WorkflowStatus.FAILED
        assert bad.tasks["after"].status.value == "FAILED_UPSTREAM"
        assert len(world.cluster.made) == len(set(world.cluster.made))

    in_a_world(story)


def test_a_task_that_is_to_go_again_does_so_after_its_pause() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        world.cluster.outcomes |= {("a", 0): 7, ("a", 1): 7}
        await world.submit("wf-1", plan(single("a", exit_actions={"RESCHEDULE": "7"})))
        async with living(world):
            (state,) = await world.until_over("wf-1")
        assert state.status is WorkflowStatus.COMPLETED
        assert [attempt.exit_code for attempt in state.tasks["a"].earlier] == [7, 7]
        assert [retry_id for _, _, retry_id in world.cluster.made] == [0, 1, 2]

    in_a_world(story)


def test_who_does_not_fit_waits_with_a_reason_until_there_is_room() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        for number in (1, 2, 3):
            await world.submit(f"wf-{number}", plan(single("a", resources=GPUS_8)))
        await world.submit("big-1", plan(single("a", resources=Resources(gpu=9)), single("b", "a")))
        await world.until_task("wf-2", "a", "SCHEDULING")
        reasons = await world.explain("wf-3")
        assert reasons["a"][0] == "capacity"
        assert "8 asked" in reasons["a"][1]
        reasons = await world.explain("big-1")
        assert (reasons["a"][0], reasons["b"]) == ("node_fit", ("upstream", "Waits for a (PROCESSING) to complete."))
        assert (await world.state("wf-3")).tasks["a"].status.value == "PROCESSING"
        async with living(world):
            ended = await world.until_over("wf-1", "wf-2", "wf-3")
        assert {state.status for state in ended} == {WorkflowStatus.COMPLETED}
        await world.cluster.tell_node("node-9", gpus=16)
        async with living(world):
            await world.until_over("big-1")
        assert await world.explain("big-1") == {}

    in_a_world(story)


def test_cancel_while_queued_and_while_running() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("running-1", plan(single("a", resources=GPUS_8)))
        await world.submit("queued-1", plan(single("a", resources=Resources(gpu=99))))
        await world.until_task("queued-1", "a", "PROCESSING")
        await world.cluster.take_commands()
        await world.cluster.move(PodPhase.RUNNING)
        await world.until_task("running-1", "a", "RUNNING")
        await world.cancel("queued-1")
        await world.cancel("running-1")
        ended = await world.until_over("running-1", "queued-1")
        assert {state.status for state in ended} == {WorkflowStatus.FAILED_CANCELED}
        assert {state.canceled_by for state in ended} == {"bob"}
        await world.cluster.take_commands()
        assert world.cluster.pods == {}
        assert [command.workflow_id for command in world.cluster.deleted] == ["running-1"]
        await world.cancel("running-1", force=True)
        await asyncio.sleep(1)
        await world.cluster.take_commands()
        assert [command.force for command in world.cluster.deleted] == [False, True]

    in_a_world(story)


def test_queue_exec_and_start_timeouts() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("queue-1", plan(single("a", resources=Resources(gpu=99)), queue_timeout_s=60))
        await world.submit("exec-1", plan(single("a"), exec_timeout_s=300))
        await world.until_task("exec-1", "a", "SCHEDULING")
        await world.cluster.take_commands()
        await world.cluster.move(PodPhase.RUNNING)
        await world.submit("start-1", plan(single("a"), start_timeout_s=120))
        await world.until_task("start-1", "a", "SCHEDULING")
        await world.cluster.take_commands()
        await world.cluster.move(PodPhase.INITIALIZING)
        await asyncio.sleep(301)
        ended = [await world.state(name) for name in ("queue-1", "exec-1", "start-1")]
        assert [state.tasks["a"].status.value for state in ended] == [
            "FAILED_QUEUE_TIMEOUT",
            "FAILED_EXEC_TIMEOUT",
            "FAILED_START_TIMEOUT",
        ]
        elapsed = [(s.ended_at - s.submitted_at).total_seconds() for s in ended if s.ended_at]
        assert [round(seconds) for seconds in elapsed[:2]] == [60, 300]

    in_a_world(story)


def test_a_refused_group_is_a_server_error() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a")))
        await world.until_task("wf-1", "a", "SCHEDULING")
        await world.cluster.take_commands()
        await world.cluster.refuse(world.cluster.created[0], "quota of the namespace")
        (state,) = await world.until_over("wf-1")
        assert state.status is WorkflowStatus.FAILED_SERVER_ERROR
        assert state.tasks["a"].attempt.message == "quota of the namespace"

    in_a_world(story)


def test_a_large_gang_goes_through_the_blobs_in_several_commands() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        members = [task("lead"), *(task(f"side-{n:04}", lead=False) for n in range(1200))]
        await world.submit("wf-1", plan(gang("g", *members)))
        await world.until_task("wf-1", "side-1199", "SCHEDULING")
        assert await world.cluster.take_commands() == 3
        assert all(command.group is None and command.group_blob for command in world.cluster.created)
        assert len(world.cluster.pods) == 1201
        await world.cluster.move(PodPhase.RUNNING)
        await world.until_task("wf-1", "side-1199", "RUNNING")
        await world.cluster.end()
        (state,) = await world.until_over("wf-1")
        assert state.status is WorkflowStatus.COMPLETED
        records = await world.log.load(subjects.workflow(0, "wf-1"))
        assert max(len(record.data) for record in records[1:]) < 64 * 1024, "commits stay small"

    in_a_world(story)
