"""A simulated cluster, agents that come and go, and the log between them and the test, in virtual time."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.simulation.virtual_time import VirtualClock, VirtualLoop, run_virtual

from osmo_agent.app import open_app
from osmo_agent.settings import AgentSettings
from osmo_agent.simulated import SimulatedCluster, SimulatedRuntime, parse_nodes
from osmo_agent.simulated.pod import Pod
from osmo_domain.cluster import ClusterFact, InventorySeen, NodeSeen, PodFact, PodsSeen
from osmo_domain.command import Command, CreateGroup, DeleteGroup
from osmo_domain.commit import CommitCodec
from osmo_domain.errors import Transient
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_eventlog import subjects
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.memory.faults import NO_FAULTS, Faults
from osmo_service.lifecycle import App, run_app

FACTS: CommitCodec[ClusterFact] = CommitCodec(ClusterFact)


class Agent:
    """One life of an agent."""

    def __init__(self, connection: Any, app: App, life: asyncio.Task[None]) -> None:
        self.connection = connection
        self.app = app
        self._life = life

    def crash(self) -> None:
        """As kill -9."""
        self.connection.crash()
        self._life.cancel()

    async def failure(self) -> BaseException | None:
        await asyncio.wait([self._life])
        return None if self._life.cancelled() else self._life.exception()


class World:
    def __init__(self, loop: VirtualLoop, seed: int, faults: Faults = NO_FAULTS) -> None:
        self.rng = random.Random(seed)
        self.clock = VirtualClock(loop)
        self.server = MemoryServer(self.clock, self.rng, faults)
        self.log = self.server.connect("test").log
        self.blobs = self.server.connect("test").blobs
        self.made: list[tuple[str, str, int]] = []
        self.cluster = SimulatedCluster(parse_nodes("4x8"), observe=self._count)
        self.settings = AgentSettings(backend="sim")
        self.lives = 0
        self._commands = 0
        self._agents: list[Agent] = []

    def _count(self, pod: Pod) -> None:
        self.made.append(pod.key)

    async def start(self, runtime: Any = None, *, ready: bool = True, settings: AgentSettings | None = None) -> Agent:
        """An agent in its next life, on a connection of its own."""
        self.lives += 1
        connection = self.server.connect(f"agent-{self.lives}")
        opened: asyncio.Future[App] = asyncio.get_running_loop().create_future()
        adapter = runtime or SimulatedRuntime(self.cluster, self.clock)

        async def live() -> None:
            try:
                async with open_app(settings or self.settings, connection, self.clock, self.rng, adapter) as app:
                    opened.set_result(app)
                    await run_app(app, asyncio.Event())
            except BaseException as error:
                if not opened.done():
                    opened.set_exception(error)
                raise

        life = asyncio.create_task(live())
        try:
            app = await opened
        except Exception:
            await asyncio.wait([life])
            life.exception()
            raise
        agent = Agent(connection, app, life)
        if ready:
            async with asyncio.timeout(600):
                await app.ready.wait()
        return agent

    async def tell(self, command: Command) -> int:
        """Publish a command as the scheduler does."""
        self._commands += 1
        message_id, data = f"command/{self._commands}", msgspec.json.encode(command)
        while True:
            try:
                return await self.log.publish(subjects.command("sim"), data, message_id=message_id)
            except Transient:
                continue

    def create(
        self, name: str, *, retry_id: int = 0, epoch: int = 1, image: str = "ubuntu", **environment: str
    ) -> CreateGroup:
        task = TaskPlan(name="t", image=image, command=("true",), environment=environment)
        return CreateGroup(
            workflow_id=f"{name}-1",
            workflow_uuid=f"uuid-{name}",
            pool="p",
            user="u",
            group_name="t",
            retry_ids={"t": retry_id},
            nodes={"t": f"sim-{self.rng.randint(1, 4):04}"},
            group=GroupPlan("t", (task,)),
            epoch=epoch,
        )

    def delete(self, name: str, *, retry_id: int = 0, epoch: int = 1) -> DeleteGroup:
        return DeleteGroup(f"{name}-1", f"uuid-{name}", "t", {"t": retry_id}, epoch)

    async def facts(self, kind: str = "pods") -> list[ClusterFact]:
        records = await self.log.load(subjects.cluster("sim", kind))
        return [fact for record in records for fact in FACTS.decode(record.data).events]  # type: ignore[misc]

    async def pods(self, name: str = "") -> list[PodFact]:
        seen = [pod for fact in await self.facts() if isinstance(fact, PodsSeen) for pod in fact.pods]
        return [pod for pod in seen if not name or pod.workflow_id == f"{name}-1"]

    async def phases(self, name: str) -> list[str]:
        return [pod.phase.value for pod in await self.pods(name)]

    async def all_phases(self) -> dict[str, list[str]]:
        """Workflow to the phases of its pod: one reading for many of them."""
        found: dict[str, list[str]] = {}
        for pod in await self.pods():
            found.setdefault(pod.workflow_id, []).append(pod.phase.value)
        return found

    async def inventories(self) -> list[InventorySeen]:
        return [fact for fact in await self.facts("inventory") if isinstance(fact, InventorySeen)]

    async def nodes(self, name: str) -> list[NodeSeen]:
        records = await self.log.load(subjects.cluster("sim", "node", name))
        facts = [fact for record in records for fact in FACTS.decode(record.data).events]
        return [fact for fact in facts if isinstance(fact, NodeSeen)]

    async def until(self, condition: Callable[[], Awaitable[bool]], within_s: float = 600) -> None:
        async with asyncio.timeout(within_s):
            while not await condition():
                await asyncio.sleep(0.05)

    async def commands_left(self) -> int:
        return len(await self.log.load(subjects.command("sim")))


@pytest.fixture
def run_world() -> Callable[..., Any]:
    """`run_world(main, seed=..., faults=...)` runs `await main(world)` in virtual time."""

    def run(main: Callable[[World], Awaitable[Any]], *, seed: int = 1, faults: Faults = NO_FAULTS) -> Any:
        loop = VirtualLoop()

        async def whole() -> Any:
            return await main(World(loop, seed, faults))

        with contextlib.closing(loop):
            return run_virtual(whole(), loop)

    return run
