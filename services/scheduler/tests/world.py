"""A scheduler on the memory twin in virtual time, with a cluster that does what the test tells it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import msgspec
from tests.simulation.virtual_time import VirtualClock, VirtualLoop, run_virtual

from osmo_domain.cluster import (
    ClusterFact,
    ContainerState,
    GroupRefused,
    Heartbeat,
    InventorySeen,
    NodeFact,
    NodeSeen,
    PodFact,
    PodPhase,
    PodsSeen,
)
from osmo_domain.command import Command, CreateGroup, DeleteGroup, RestartTasks
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import ConfigSet
from osmo_domain.ids import derived_uuid
from osmo_domain.plan import GroupPlan, Plan
from osmo_domain.pool import Pool
from osmo_domain.report import TaskPhase, TaskReported
from osmo_domain.requests import ExplainPending, PendingExplained
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowCancelRequested, WorkflowEvent, WorkflowSubmitted
from osmo_domain.workflow.evolve import fold
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import WORKFLOW_FINISHED
from osmo_eventlog import subjects
from osmo_eventlog.memory import NO_FAULTS, Faults, MemoryConnection, MemoryServer
from osmo_eventlog.streams import command_consumer
from osmo_scheduler.app import open_app
from osmo_scheduler.settings import SchedulerSettings
from osmo_service.clock import Clock
from osmo_service.lifecycle import App, run_app

BACKEND = "default"
KEY = b"key of the test"
_COMMAND: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_GROUP = msgspec.json.Decoder(GroupPlan)

PodKey = tuple[str, str, int]


def in_a_world(test: Callable[["World"], Coroutine[Any, Any, None]], faults: Faults = NO_FAULTS) -> None:
    """Run the test's coroutine in virtual time."""
    loop = VirtualLoop()

    async def main() -> None:
        clock = VirtualClock(loop)
        server = MemoryServer(clock, random.Random(1), faults)
        world = World(clock, server.connect)
        try:
            await world.set_up()
            await test(world)
        finally:
            await world.tear_down()

    run_virtual(main(), loop)


class World:
    """`connects` gives a new connection to the one log by name."""

    def __init__(self, clock: Clock, connects: Callable[[str], Any]) -> None:
        self.clock = clock
        self.rng = random.Random(1)
        self.connects = connects
        self.connection = connects("test")
        self.log = self.connection.log
        self.cluster = FakeCluster(self)
        self._count = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.schedulers: list[RunningScheduler] = []

    async def set_up(self, *, nodes: int = 2, gpus: int = 8) -> None:
        await self.set_pool(Pool(name="default", backend=BACKEND))
        for number in range(nodes):
            await self.cluster.tell_node(f"node-{number}", gpus)
        self._tasks.append(asyncio.create_task(self.cluster.beat()))

    async def set_pool(self, pool: Pool) -> None:
        event = ConfigSet(kind="pool", name=pool.name, value=msgspec.Raw(msgspec.json.encode(pool)))
        await self.publish(subjects.config("pool", pool.name), [event])

    async def tear_down(self) -> None:
        for scheduler in self.schedulers:
            await scheduler.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def publish(self, subject: str, events: list[Any]) -> int:
        self._count += 1
        commit = Commit[Any](f"test/{self._count}", self.clock.now(), "test", events)
        return await self.log.publish(subject, encode_commit(commit), message_id=commit.id)

    async def start(self, **settings: Any) -> "RunningScheduler":
        """With states that rest as soon as anything happens to another workflow: whatever a test shows, it shows of those, too."""
        scheduler = RunningScheduler(self, SchedulerSettings(**{"rest_after": 1, **settings}))
        self.schedulers.append(scheduler)
        await scheduler.start()
        return scheduler

    async def submit(self, workflow_id: str, plan: Plan) -> None:
        event = WorkflowSubmitted(
            workflow_id=workflow_id,
            uuid=derived_uuid(workflow_id),
            user="ann",
            at=self.clock.now(),
            plan=plan,
        )
        await self.append(workflow_id, event)

    async def cancel(self, workflow_id: str, *, force: bool = False) -> None:
        await self.append(workflow_id, WorkflowCancelRequested(user="bob", at=self.clock.now(), force=force))

    async def append(self, workflow_id: str, event: WorkflowEvent) -> None:
        await self.publish(subjects.workflow(0, workflow_id), [event])

    async def report(self, workflow_id: str, task: str, phase: TaskPhase) -> None:
        said = TaskReported(workflow_id=workflow_id, task=task, retry_id=0, phase=phase, at=self.clock.now())
        await self.publish(subjects.report(0, workflow_id, task), [said])

    async def commits(self, workflow_id: str) -> list[Commit[Any]]:
        records = await self.log.load(subjects.workflow(0, workflow_id))
        return [WORKFLOW_CODEC.decode(record.data) for record in records]

    async def state(self, workflow_id: str) -> Workflow:
        state = fold(await self.commits(workflow_id))
        assert state is not None
        return state

    async def explain(self, workflow_id: str) -> dict[str, tuple[str, str]]:
        asked = msgspec.json.encode(ExplainPending(workflow_id))
        answer = await self.connection.requests.ask(subjects.scheduler_questions(0), asked, timeout_s=5)
        reasons = msgspec.json.decode(answer, type=PendingExplained).reasons
        return {group: (reason.code.value, reason.message) for group, reason in reasons.items()}

    async def until(self, holds: Callable[[], Awaitable[bool]], *, within_s: float = 120) -> None:
        deadline = self.clock.now() + timedelta(seconds=within_s)
        while not await holds():
            assert self.clock.now() < deadline, "it did not become true in time"
            await asyncio.sleep(0.01)

    async def until_task(self, workflow_id: str, task: str, status: str) -> None:
        async def holds() -> bool:
            return (await self.state(workflow_id)).tasks[task].status.value == status

        await self.until(holds)

    async def until_attempt(self, workflow_id: str, task: str, retry_id: int) -> None:
        async def holds() -> bool:
            return (await self.state(workflow_id)).tasks[task].attempt.retry_id == retry_id

        await self.until(holds)

    async def until_over(self, *workflow_ids: str) -> list[Workflow]:
        async def holds() -> bool:
            return all([(await self.state(each)).status in WORKFLOW_FINISHED for each in workflow_ids])

        await self.until(holds)
        return [await self.state(each) for each in workflow_ids]


class RunningScheduler:
    def __init__(self, world: World, settings: SchedulerSettings) -> None:
        self._world = world
        self._settings = settings
        self._stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self.connection = world.connects("scheduler")
        self.app: App | None = None
        self.opened = asyncio.Event()

    async def start(self) -> None:
        self._life = asyncio.create_task(self._live())
        await self.opened.wait()

    async def ready(self) -> "RunningScheduler":
        assert self.app is not None
        assert self._life is not None
        waiting = asyncio.create_task(self.app.ready.wait())
        await asyncio.wait([waiting, self._life], return_when=asyncio.FIRST_COMPLETED)
        if self._life.done():
            self._life.result()
        return self

    async def _live(self) -> None:
        rng = random.Random(self._world.rng.random())
        async with open_app(self._settings, self.connection, self._world.clock, rng, task_key=KEY) as app:
            self.app = app
            self.opened.set()
            await run_app(app, self._stop)

    async def stop(self) -> None:
        """As SIGTERM."""
        self._stop.set()
        assert self._life is not None
        await self._life

    async def kill(self) -> None:
        """As kill -9."""
        if isinstance(self.connection, MemoryConnection):
            self.connection.crash()
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)


class FakeCluster:
    """Carries out commands when told to; `outcomes` gives exit codes of attempts by (task, retry_id), 0 where it says nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.pods: dict[PodKey, PodFact] = {}
        self.created: list[CreateGroup] = []
        self.deleted: list[DeleteGroup] = []
        self.restarted: list[RestartTasks] = []
        self.outcomes: dict[tuple[str, int], int] = {}
        self.made: list[PodKey] = []
        self.through = 0

    async def say(self, kind: str, fact: ClusterFact, name: str = "_") -> None:
        await self._world.publish(subjects.cluster(BACKEND, kind, name), [fact])

    async def tell_node(
        self, name: str, gpus: int = 8, *, gone: bool = False, labels: dict[str, str] | None = None
    ) -> None:
        node = NodeFact(
            name=name,
            at=self._world.clock.now(),
            cpu=32,
            gpu=gpus,
            memory_bytes=1 << 38,
            storage_bytes=1 << 40,
            labels=labels or {},
            gone=gone,
        )
        await self.say("node", NodeSeen(node), name)

    async def beat(self) -> None:
        while True:
            await self.say("heartbeat", Heartbeat(self._world.clock.now()))
            await asyncio.sleep(10)

    async def take_commands(self, *, wait_s: float = 0.2) -> int:
        """Carry out what is in the queue; pods appear and say nothing yet."""
        consumer = command_consumer(BACKEND)
        await self._world.log.ensure_consumer(consumer.stream, consumer.durable, consumer.subjects, ack_wait_s=1)
        count = 0
        async with self._world.log.consume(consumer.stream, consumer.durable) as queue:
            while deliveries := await queue.fetch(100, wait_s=wait_s):
                for delivery in deliveries:
                    await self._carry_out(_COMMAND.decode(delivery.record.data))
                    self.through = delivery.record.seq
                    await delivery.ack()
                    count += 1
        return count

    async def _carry_out(self, command: Command) -> None:
        match command:
            case CreateGroup():
                self.created.append(command)
                await self._create(command)
            case DeleteGroup():
                self.deleted.append(command)
                for task, retry_id in command.retry_ids.items():
                    self.pods.pop((command.workflow_uuid, task, retry_id), None)
            case RestartTasks():
                self.restarted.append(command)

    async def _create(self, command: CreateGroup) -> None:
        group = command.group or _GROUP.decode(await self._world.connection.blobs.get(command.group_blob))
        assert {task.name for task in group.tasks} >= command.retry_ids.keys()
        for task, retry_id in command.retry_ids.items():
            key = (command.workflow_uuid, task, retry_id)
            if key not in self.pods:
                self.made.append(key)
                self.pods[key] = PodFact(
                    command.workflow_id,
                    command.workflow_uuid,
                    command.group_name,
                    task,
                    retry_id,
                    "pod",
                    PodPhase.PENDING,
                    self._world.clock.now(),
                    node=command.nodes[task],
                )

    async def move(self, phase: PodPhase, **fields: Any) -> int:
        """Every pod that is not there yet gets to this phase and says so in one message."""
        moved = []
        for key, pod in self.pods.items():
            if _RANK[pod.phase] < _RANK[phase]:
                self.pods[key] = msgspec.structs.replace(pod, phase=phase, at=self._world.clock.now(), **fields)
                moved.append(self.pods[key])
        if moved:
            await self.say("pods", PodsSeen(tuple(moved)))
        return len(moved)

    async def end(self) -> int:
        """Every running pod ends as `outcomes` says."""
        ended = []
        for key, pod in self.pods.items():
            if pod.phase is PodPhase.RUNNING:
                code = self.outcomes.get((pod.task, pod.retry_id), 0)
                phase = PodPhase.FAILED if code else PodPhase.SUCCEEDED
                containers = (ContainerState("user", "user", exit_code=code),)
                self.pods[key] = msgspec.structs.replace(
                    pod, phase=phase, containers=containers, at=self._world.clock.now()
                )
                ended.append(self.pods[key])
        if ended:
            await self.say("pods", PodsSeen(tuple(ended)))
        return len(ended)

    async def inventory(self) -> None:
        await self.say("inventory", InventorySeen(self._world.clock.now(), tuple(self.pods), self.through))

    async def refuse(self, command: CreateGroup, message: str) -> None:
        fact = GroupRefused(
            command.workflow_id,
            command.workflow_uuid,
            command.group_name,
            command.retry_ids,
            message,
            self._world.clock.now(),
        )
        await self.say("refused", fact)

    async def live(self, *, step_s: float = 0.5) -> None:
        """Carry out, run and end whatever comes, for ever."""
        while True:
            await self.take_commands()
            await self.move(PodPhase.RUNNING)
            await asyncio.sleep(step_s)
            await self.end()


_RANK = {
    PodPhase.PENDING: 0,
    PodPhase.INITIALIZING: 1,
    PodPhase.RUNNING: 2,
    PodPhase.SUCCEEDED: 3,
    PodPhase.FAILED: 3,
    PodPhase.GONE: 4,
}
