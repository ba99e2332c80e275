"""What the scheduler answers when somebody asks why a workflow waits."""

from typing import Any

import msgspec
from libs.domain.tests.life import plan, single
from services.scheduler.tests.world import World, in_a_world

from osmo_domain.config import ConfigSet
from osmo_domain.pending import ChangeKind, Reason, ReasonCode
from osmo_domain.plan import Resources
from osmo_domain.pool import GpuQuota, Platform, Pool
from osmo_domain.requests import ExplainPending, PendingExplained
from osmo_eventlog import subjects

GPUS_8 = Resources(gpu=8)


async def configure(world: World, **fields: Any) -> None:
    pool = Pool(name="default", backend="default", **fields)
    event = ConfigSet("pool", "default", msgspec.Raw(msgspec.json.encode(pool)))
    await world.publish(subjects.config("pool", "default"), [event])


async def why(world: World, workflow_id: str, *, changes: bool = True) -> dict[str, Reason]:
    asked = msgspec.json.encode(ExplainPending(workflow_id, changes=changes))
    answer = await world.connection.requests.ask(subjects.scheduler_questions(0), asked, timeout_s=5)
    return msgspec.json.decode(answer, type=PendingExplained).reasons


async def until_code(world: World, workflow_id: str, code: ReasonCode) -> Reason:
    async def holds() -> bool:
        reason = (await why(world, workflow_id, changes=False)).get("a")
        return reason is not None and reason.code is code

    await world.until(holds)
    return (await why(world, workflow_id))["a"]


def test_a_quota_names_its_holders_with_their_users_and_low_as_the_way_out() -> None:
    async def story(world: World) -> None:
        await configure(world, gpu=GpuQuota(guarantee=10))
        await (await world.start()).ready()
        await world.submit("first-1", plan(single("a", resources=GPUS_8)))
        await world.until_task("first-1", "a", "SCHEDULING")
        await world.submit("second-1", plan(single("a", resources=Resources(gpu=4))))
        reason = await until_code(world, "second-1", ReasonCode.QUOTA)
        assert reason.message == "Asks for 4 GPUs; 8 of the 10 of pool default are used, by first-1 8 (ann)."
        assert [(each.kind, each.value) for each in reason.changes] == [
            (ChangeKind.PRIORITY, "LOW"),
            (ChangeKind.FEWER_GPUS, "2"),
        ]
        assert (await why(world, "second-1", changes=False))["a"].changes == ()

    in_a_world(story)


def test_what_waits_for_upstreams_says_which_and_how_far_they_are() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a", resources=GPUS_8), single("b", "a"), single("c", "b")))
        await world.until_task("wf-1", "a", "SCHEDULING")
        reasons = await why(world, "wf-1")
        assert {name: reason.code for name, reason in reasons.items()} == {
            "b": ReasonCode.UPSTREAM,
            "c": ReasonCode.UPSTREAM,
        }
        assert [(each.group, each.status) for each in reasons["b"].upstreams] == [("a", "SCHEDULING")]
        assert [(each.group, each.status) for each in reasons["c"].upstreams] == [("b", "WAITING")]

    in_a_world(story)


def test_a_pool_in_maintenance_keeps_running_what_runs_and_its_line_waits_until_it_is_over() -> None:
    async def story(world: World) -> None:
        await (await world.start()).ready()
        await world.submit("runs-1", plan(single("a", resources=GPUS_8)))
        await world.until_task("runs-1", "a", "SCHEDULING")
        await configure(world, enable_maintenance=True)
        await world.submit("waits-1", plan(single("a")))
        reason = await until_code(world, "waits-1", ReasonCode.MAINTENANCE)
        assert "Pool default is in maintenance" in reason.message
        await world.cluster.take_commands()
        assert (await world.state("runs-1")).tasks["a"].status.value == "SCHEDULING"
        assert len(world.cluster.pods) == 1
        await configure(world)
        await world.until_task("waits-1", "a", "SCHEDULING")

    in_a_world(story)


def test_a_platform_that_has_no_nodes_yet_waits_for_them() -> None:
    """Nodes that scale from zero: the first one that comes is used."""

    async def story(world: World) -> None:
        platforms = {"rare": Platform(labels={"kind": "rare"}), "any": Platform()}
        await configure(world, platforms=platforms, default_platform="rare")
        await (await world.start()).ready()
        await world.submit("wf-1", plan(single("a", resources=GPUS_8)))
        reason = await until_code(world, "wf-1", ReasonCode.NODE_FIT)
        assert (reason.free[0].platform, reason.free[0].nodes) == ("rare", 0)
        assert [(each.kind, each.value) for each in reason.changes] == [(ChangeKind.PLATFORM, "any")]
        await world.cluster.tell_node("rare-1", labels={"kind": "rare"})
        await world.until_task("wf-1", "a", "SCHEDULING")
        assert (await world.state("wf-1")).tasks["a"].attempt.node == "rare-1"

    in_a_world(story)
