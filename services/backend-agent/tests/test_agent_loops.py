"""The agent as a whole, on a simulated cluster and the memory twin of the log."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from osmo_agent.registration import RegistrationRefused
from osmo_agent.simulated import SimulatedCluster, SimulatedRuntime
from osmo_domain.cluster import BackendRegistered, GroupRefused, Heartbeat
from osmo_domain.command import CreateGroup, RestartTasks
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_eventlog import subjects

Run = Callable[..., Any]


def test_a_pod_is_reported_from_pending_to_its_end(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        await world.tell(world.create("a", SIM_SECONDS="5", SIM_START_SECONDS="2", SIM_EXIT_CODE="3"))
        await world.until(lambda: ended(world, "a"))
        pods = await world.pods("a")
        assert [pod.phase.value for pod in pods] == ["PENDING", "INITIALIZING", "RUNNING", "FAILED"]
        assert pods[2].at - pods[1].at == timedelta(seconds=2)
        assert pods[3].at - pods[2].at == timedelta(seconds=5)
        (container,) = pods[3].containers
        assert (container.role, container.exit_code, container.reason) == ("user", 3, "Error")
        assert await world.commands_left() == 0

    run_world(main)


def test_it_is_ready_when_nodes_and_inventory_are_stored(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        for number in range(1, 5):
            (seen,) = await world.nodes(f"sim-{number:04}")
            assert (seen.node.gpu, seen.node.cpu) == (8, 128)
        assert len(await world.inventories()) == 1
        (registered,) = await world.facts("registered")
        assert isinstance(registered, BackendRegistered)
        assert (registered.runtime, registered.cluster_uid) == ("simulated", "simulated")

    run_world(main)


def test_the_heart_beats(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        await asyncio.sleep(35)
        beats = await world.facts("heartbeat")
        assert len(beats) == 4
        assert all(isinstance(beat, Heartbeat) for beat in beats)

    run_world(main)


def test_a_node_is_told_again_only_when_it_changes_and_after_ten_minutes(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        await asyncio.sleep(590)
        assert len(await world.nodes("sim-0001")) == 1
        await asyncio.sleep(30)
        assert len(await world.nodes("sim-0001")) == 2

    run_world(main)


def test_a_node_that_vanished_is_told_as_gone_even_by_a_later_life(run_world: Run) -> None:
    async def main(world: Any) -> None:
        agent = await world.start()
        world.cluster.lose_node("sim-0001", world.clock.now())
        await asyncio.sleep(11)
        assert (await world.nodes("sim-0001"))[-1].node.gone
        agent.crash()
        world.cluster.lose_node("sim-0002", world.clock.now())
        await world.start()
        assert (await world.nodes("sim-0002"))[-1].node.gone
        assert len(await world.nodes("sim-0001")) == 2

    run_world(main)


def test_nodes_that_come_and_go_are_told_in_a_second(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        world.cluster.lose_node("sim-0001", world.clock.now())
        world.cluster.add_node("new", 8)
        await asyncio.sleep(1)
        assert (await world.nodes("sim-0001"))[-1].node.gone
        assert [seen.node.gpu for seen in await world.nodes("new")] == [8]
        assert len(await world.nodes("sim-0002")) == 1

    run_world(main)


def test_a_crash_between_doing_and_acknowledging_makes_no_pod_twice(run_world: Run) -> None:
    async def main(world: Any) -> None:
        first = await world.start(LosesItsAgentAfterApply(world))
        await world.tell(world.create("a", SIM_SECONDS="1"))
        await asyncio.sleep(0.5)
        first.crash()
        assert await world.commands_left() == 1
        await world.start()
        await world.until(lambda: ended(world, "a"))
        await world.until(lambda: none_left(world))
        assert world.made == [("uuid-a", "t", 0)]

    run_world(main)


def test_what_an_earlier_life_left_over_is_carried_out_at_once(run_world: Run) -> None:
    async def main(world: Any) -> None:
        first = await world.start(NeverApplies(world.cluster, world.clock))
        await world.tell(world.create("a"))
        await asyncio.sleep(1)
        first.crash()
        started = world.clock.now()
        await world.start()
        await world.until(lambda: ended(world, "a"))
        assert world.clock.now() - started < timedelta(seconds=2), "no waiting for redelivery"

    run_world(main)


def test_pods_that_ended_while_no_agent_was_there_are_reported(run_world: Run) -> None:
    async def main(world: Any) -> None:
        agent = await world.start()
        await world.tell(world.create("a", SIM_SECONDS="20"))
        await asyncio.sleep(1)
        agent.crash()
        await asyncio.sleep(60)
        await world.start()
        await world.until(lambda: ended(world, "a"))
        last = (await world.pods("a"))[-1]
        first_running = next(pod for pod in await world.pods("a") if pod.phase == "RUNNING")
        assert last.at - first_running.at == timedelta(seconds=20)

    run_world(main)


def test_a_burst_while_the_link_is_cut_arrives_whole_and_in_order(run_world: Run) -> None:
    async def main(world: Any) -> None:
        agent = await world.start()
        for number in range(1000):
            await world.tell(world.create(f"w{number}", SIM_SECONDS="30", SIM_START_SECONDS="20"))
        await asyncio.sleep(5)
        agent.connection.cut()
        await asyncio.sleep(120)
        before = len(await world.inventories())
        agent.connection.heal()
        await world.until(lambda: ended(world, "w999"))
        phases = await world.all_phases()
        assert len(phases) == 1000
        assert all(never_back(each) for each in phases.values())
        await asyncio.sleep(3)
        assert len(await world.inventories()) > before, "an inventory follows when the link is back"

    run_world(main)


def test_beyond_its_bound_the_outbox_keeps_every_end(run_world: Run) -> None:
    async def main(world: Any) -> None:
        agent = await world.start(settings=msgspec.structs.replace(world.settings, buffered_facts=100))
        for number in range(300):
            await world.tell(world.create(f"w{number}", SIM_SECONDS="30", SIM_START_SECONDS="20"))
        await asyncio.sleep(5)
        agent.connection.cut()
        await asyncio.sleep(120)
        agent.connection.heal()
        await world.until(lambda: ended(world, "w299"))
        await asyncio.sleep(5)
        phases = await world.all_phases()
        assert len(phases) == 300
        assert all(each[-1] == "SUCCEEDED" and never_back(each) for each in phases.values())

    run_world(main)


def test_an_older_epoch_is_refused_and_a_late_delivery_is_not(run_world: Run) -> None:
    async def main(world: Any) -> None:
        flaky = FailsFirst(world.cluster, world.clock, failures=1)
        agent = await world.start(flaky)
        await world.tell(world.create("late", epoch=1))
        await asyncio.sleep(0.1)
        await world.tell(world.create("new", epoch=2))
        await world.tell(world.create("zombie", epoch=1))
        await world.until(lambda: ended(world, "late"))
        assert ("uuid-zombie", "t", 0) not in world.made
        assert await world.commands_left() == 0
        agent.crash()
        await world.start()
        await world.tell(world.create("ghost", epoch=1))
        await world.until(lambda: none_left(world))
        assert ("uuid-ghost", "t", 0) not in world.made, "the epoch outlives the agent"

    run_world(main)


def test_a_refused_group_becomes_a_fact(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        await world.tell(world.create("a", SIM_REFUSE="1"))
        await world.until(lambda: none_left(world))
        (refused,) = await world.facts("refused")
        assert isinstance(refused, GroupRefused)
        assert (refused.workflow_id, refused.retry_ids) == ("a-1", {"t": 0})
        assert "SIM_REFUSE" in refused.message

    run_world(main)


def test_a_group_too_large_for_a_message_comes_from_the_blobs(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        command = world.create("a")
        digest = await world.blobs.put(msgspec.json.encode(command.group))
        await world.tell(msgspec.structs.replace(command, group=None, group_blob=digest))
        await world.until(lambda: ended(world, "a"))
        await world.tell(msgspec.structs.replace(world.create("b"), group=None, group_blob="0" * 64))
        await world.until(lambda: none_left(world))
        (refused,) = await world.facts("refused")
        assert refused.workflow_id == "b-1"

    run_world(main)


def test_a_failing_cluster_is_asked_again_with_growing_delay(run_world: Run) -> None:
    async def main(world: Any) -> None:
        flaky = FailsFirst(world.cluster, world.clock, failures=5)
        await world.start(flaky)
        await world.tell(world.create("a"))
        await world.until(lambda: ended(world, "a"))
        gaps = [later - earlier for earlier, later in zip(flaky.asked, flaky.asked[1:], strict=False)]
        assert gaps == sorted(gaps)
        assert gaps[-1] > 2 * gaps[0]

    run_world(main)


def test_a_create_that_comes_after_its_delete_makes_nothing(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start(FailsFirst(world.cluster, world.clock, failures=1))
        await world.tell(world.create("a", SIM_SECONDS="100"))
        await world.tell(world.delete("a"))
        await world.tell(world.create("a", retry_id=1))
        await world.until(lambda: none_left(world))
        assert world.made == [("uuid-a", "t", 1)]

    run_world(main)


def test_deleting_a_running_pod_is_seen_and_an_ended_one_goes_silently(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        await world.tell(world.create("runs", SIM_SECONDS="100"))
        await world.tell(world.create("ended"))
        await world.until(lambda: ended(world, "ended"))
        await world.tell(world.delete("runs"))
        await world.tell(world.delete("ended"))
        await world.tell(world.delete("unknown"))
        await world.until(lambda: none_left(world))
        await asyncio.sleep(1)
        assert (await world.phases("runs"))[-1] == "GONE"
        assert (await world.phases("ended"))[-1] == "SUCCEEDED"
        assert world.cluster.pods() == []

    run_world(main)


def test_a_restarted_task_runs_its_time_again_in_the_same_pod(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        started = world.clock.now()
        await world.tell(world.create("a", SIM_SECONDS="10"))
        await asyncio.sleep(8)
        for _ in range(2):
            await world.tell(RestartTasks("a-1", "uuid-a", "t", {"t": 0}, epoch=1, restarts={"t": 1}))
        await world.until(lambda: ended(world, "a"))
        assert timedelta(seconds=18) <= world.clock.now() - started < timedelta(seconds=25)
        assert len(world.made) == 1

    run_world(main)


def test_a_slow_command_is_not_delivered_twice(run_world: Run) -> None:
    async def main(world: Any) -> None:
        slow = Slow(world.cluster, world.clock, seconds=200)
        await world.start(slow)
        await world.tell(world.create("a"))
        await world.until(lambda: ended(world, "a"))
        await world.until(lambda: none_left(world))
        assert slow.calls == 1

    run_world(main)


def test_groups_are_carried_out_at_once_and_one_group_in_order(run_world: Run) -> None:
    async def main(world: Any) -> None:
        slow = Slow(world.cluster, world.clock, seconds=10)
        await world.start(slow)
        started = world.clock.now()
        for number in range(50):
            await world.tell(world.create(f"w{number}"))
        await world.tell(world.delete("w0"))
        await world.until(lambda: none_left(world))
        assert world.clock.now() - started < timedelta(seconds=15)
        assert not any(pod.workflow_id == "w0-1" for pod in world.cluster.pods())

    run_world(main)


def test_a_command_that_cannot_be_read_is_passed_over(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        await world.log.publish(subjects.command("sim"), b'{"type":"sing"}', message_id="odd")
        await world.tell(world.create("a"))
        await world.until(lambda: ended(world, "a"))
        assert await world.commands_left() == 0

    run_world(main)


def test_another_cluster_may_not_take_the_name(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        intruder = SimulatedRuntime(SimulatedCluster({}, uid="another"), world.clock)
        with pytest.raises(RegistrationRefused, match="'sim' is registered by another cluster"):
            await world.start(intruder)
        assert len(await world.facts("registered")) == 1

    run_world(main)


def test_an_inventory_covers_what_it_claims(run_world: Run) -> None:
    """Read from the log: whenever an inventory says that commands up to a position are done, each such pod is in it or was deleted."""

    async def main(world: Any) -> None:
        await world.start(Slow(world.cluster, world.clock, seconds=7))
        positions = {await world.tell(world.create(f"w{n}", SIM_SECONDS="1000")): f"uuid-w{n}" for n in range(20)}
        await asyncio.sleep(3)
        positions |= {await world.tell(world.create(f"v{n}", SIM_SECONDS="1000")): f"uuid-v{n}" for n in range(20)}
        await asyncio.sleep(70)
        inventories = await world.inventories()
        assert inventories[-1].commands_seq >= max(positions)
        for inventory in inventories:
            listed = {pod[0] for pod in inventory.pods}
            covered = {uuid for position, uuid in positions.items() if position <= inventory.commands_seq}
            assert covered <= listed

    run_world(main)


def test_a_long_inventory_goes_to_the_blobs(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        tasks = tuple(
            TaskPlan(name=f"t{n}", image="i", command=("c",), environment={"SIM_SECONDS": "1000"}) for n in range(5000)
        )
        nodes = {task.name: "sim-0001" for task in tasks}
        retries = dict.fromkeys(nodes, 0)
        group = GroupPlan("g", tasks)
        digest = await world.blobs.put(msgspec.json.encode(group))
        await world.tell(CreateGroup("w-1", "uuid-w", "p", "u", "g", retries, nodes, None, digest))
        await world.until(lambda: none_left(world))
        await asyncio.sleep(60)
        last = (await world.inventories())[-1]
        assert last.pods == ()
        assert len(msgspec.json.decode(await world.blobs.get(last.pods_blob))) == 5000
        assert len({pod.task for pod in await world.pods("w")}) == 5000

    run_world(main)


def test_many_pods_share_few_messages(run_world: Run) -> None:
    async def main(world: Any) -> None:
        await world.start()
        await asyncio.gather(*(world.tell(world.create(f"w{number}")) for number in range(2000)))
        await world.until(lambda: none_left(world))
        await asyncio.sleep(1)
        assert len(await world.pods()) == 4 * 2000
        assert await world.log.last_seq(subjects.CLUSTERS) < 200

    run_world(main)


async def ended(world: Any, name: str) -> bool:
    phases = await world.phases(name)
    return bool(phases) and phases[-1] in {"SUCCEEDED", "FAILED"}


async def none_left(world: Any) -> bool:
    return await world.commands_left() == 0


def never_back(phases: Sequence[str]) -> bool:
    """Phases never go back (a repeated look may repeat one)."""
    order = ["PENDING", "INITIALIZING", "RUNNING", "SUCCEEDED"]
    places = [order.index(phase) for phase in phases]
    return places == sorted(places) and places[-1] == 3


class NeverApplies(SimulatedRuntime):
    async def apply_group(self, command: CreateGroup, *secrets: Any) -> None:
        await asyncio.Event().wait()


class LosesItsAgentAfterApply(SimulatedRuntime):
    """The pod is made, and then nothing more happens in this life."""

    def __init__(self, world: Any) -> None:
        super().__init__(world.cluster, world.clock)

    async def apply_group(self, command: CreateGroup, *secrets: Any) -> None:
        await super().apply_group(command, *secrets)
        await asyncio.Event().wait()


class FailsFirst(SimulatedRuntime):
    def __init__(self, cluster: SimulatedCluster, clock: Any, *, failures: int) -> None:
        super().__init__(cluster, clock)
        self._failures = failures
        self.asked: list[float] = []

    async def apply_group(self, command: CreateGroup, *secrets: Any) -> None:
        self.asked.append(asyncio.get_running_loop().time())
        if len(self.asked) <= self._failures:
            raise OSError("the cluster is having a bad day")
        await super().apply_group(command, *secrets)


class Slow(SimulatedRuntime):
    def __init__(self, cluster: SimulatedCluster, clock: Any, *, seconds: float) -> None:
        super().__init__(cluster, clock)
        self._seconds = seconds
        self.calls = 0

    async def apply_group(self, command: CreateGroup, *secrets: Any) -> None:
        self.calls += 1
        await asyncio.sleep(self._seconds)
        await super().apply_group(command, *secrets)
