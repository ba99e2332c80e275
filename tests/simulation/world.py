"""Everything in one process: server, services, cluster, users and the one who breaks things, composed from the same app.py as in production."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from tests.simulation.ctrl import SimulatedCtrl
from tests.simulation.faults import SeededFaults, weather
from tests.simulation.invariants import PodStart
from tests.simulation.process import Opens, SimulatedProcess
from tests.simulation.virtual_time import VirtualClock, VirtualLoop

from osmo_agent.app import open_app as open_agent
from osmo_agent.settings import AgentSettings
from osmo_agent.simulated import SimulatedCluster, SimulatedRuntime
from osmo_agent.simulated.pod import Pod
from osmo_data.app import open_app as open_data
from osmo_data.settings import DataSettings
from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.logs import LogBatch
from osmo_domain.pool import Backend, GpuQuota, Platform, Pool, WorkflowSettings
from osmo_domain.task_token import task_token
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowEvent
from osmo_eventlog import subjects
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.memory.connection import MemoryConnection
from osmo_eventlog.ports import After
from osmo_gateway.app import GatewayApp
from osmo_gateway.app import open_app as open_gateway
from osmo_gateway.gateway import Gateway
from osmo_gateway.seeding import Seed
from osmo_gateway.settings import Settings as GatewaySettings
from osmo_log_router.app import LogRouterApp
from osmo_log_router.app import open_app as open_log_router
from osmo_log_router.attempt import Attempt
from osmo_log_router.router import Router
from osmo_log_router.settings import NO_SOCKET, LogRouterSettings
from osmo_scheduler.app import open_app as open_scheduler
from osmo_scheduler.settings import SchedulerSettings
from osmo_service.lifecycle import App
from osmo_submit.adapters.in_process import InProcessRenderer
from osmo_submit.app import open_app as open_submit
from osmo_submit.settings import SubmitSettings
from osmo_views.memory import MemoryWorkflowViews

POOL = "default"
SECOND_POOL = "second"
POOLS = (POOL, SECOND_POOL)
LARGEST_TASK = 4
TASK_KEY = b"simulation"
AUDITOR = "auditor"

Logged = Commit[WorkflowEvent | UnknownEvent]


def seed_config(gpus: int) -> Seed:
    """Two pools that share all nodes. Each guarantees at least what the largest task asks; what is stopped in the second goes again."""
    shared: dict[str, Any] = {"backend": "default", "default_platform": "default", "platforms": {"default": Platform()}}
    half = GpuQuota(guarantee=max(LARGEST_TASK, gpus // 2), maximum=-1, weight=1)
    rest = GpuQuota(guarantee=max(LARGEST_TASK, gpus - half.guarantee), maximum=gpus, weight=3)
    pools = (
        Pool(name=POOL, gpu=half, **shared),
        Pool(name=SECOND_POOL, gpu=rest, default_exit_actions={"RESCHEDULE": "3006"}, **shared),
    )
    settings = WorkflowSettings(data_url="file:///simulated", base_url="http://simulated", max_retry_per_task=3)
    return Seed(pools=pools, backends=(Backend(name="default"),), workflow=settings)


class World:
    """One run. Nothing in it is shared with another run, and every draw comes from `seed`."""

    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        self.seed = seed
        self.clock = VirtualClock(loop)
        self.starts: list[PodStart] = []
        self.overcommitted: list[str] = []
        self.gpus_of: dict[tuple[str, str], int] = {}
        self.faults = SeededFaults(self.random("faults"), weather(self.random("weather")), spared=AUDITOR)
        self.server = MemoryServer(self.clock, self.random("server"), self.faults)
        rng = self.random("cluster")
        self.nodes = {f"node-{index}": rng.choice((2, 4, 8)) for index in range(rng.choice((1, 2, 3)))}
        self.nodes["node-0"] = max(4, self.nodes["node-0"])
        self.cluster = SimulatedCluster(self.nodes, observe=self._pod_made)
        self.views = MemoryWorkflowViews()
        self.auditor = self.server.connect(AUDITOR)
        self.gateway_process = self._process("gateway", self._gateway)
        self.router_process = self._process("log-router", self._log_router)
        self.ctrls: list[SimulatedCtrl] = []
        self._talking: list[asyncio.Task[None]] = []
        self.processes = [
            self.gateway_process,
            self.router_process,
            self._process("submit", self._submit),
            self._process("scheduler-a", self._scheduler("a")),
            self._process("scheduler-b", self._scheduler("b")),
            self._process("agent", self._agent),
            self._process("data", self._data),
        ]

    def random(self, *names: object) -> random.Random:
        """A random source of its own for each purpose, so that one more draw here changes nothing there."""
        return random.Random("/".join(str(name) for name in (self.seed, *names)))

    @property
    def gateway(self) -> Gateway | None:
        """The use-cases of the gateway that is up now; None while none is."""
        app = self.gateway_process.app
        return app.gateway if isinstance(app, GatewayApp) and app.ready.is_set() else None

    @property
    def router(self) -> Router | None:
        """The log-router that is up now; None while none is."""
        app = self.router_process.app
        return app.router if isinstance(app, LogRouterApp) and app.ready.is_set() else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All processes live while the context is open."""
        tasks = [asyncio.create_task(process.run(), name=process.name) for process in self.processes]
        try:
            yield
        finally:
            for task in (*tasks, *self._talking):
                task.cancel()
            await asyncio.gather(*tasks, *self._talking, return_exceptions=True)

    async def histories(self) -> dict[str, list[Logged]]:
        """Every workflow's commits, by workflow id, read as an auditor would: from the log alone."""
        log, found = self.auditor.log, dict[str, list[Logged]]()
        last = await log.last_seq(subjects.WORKFLOWS)
        if not last:
            return found
        async with aclosing(log.follow(subjects.WORKFLOWS, ["osmo.workflow.>"], After(0))) as batches:
            async for batch in batches:
                for record in batch:
                    commit = await hydrate(WORKFLOW_CODEC.decode(record.data), self.auditor.blobs)
                    found.setdefault(subjects.parse_workflow(record.subject).workflow_id, []).append(commit)
                if batch[-1].seq >= last:
                    break
        return found

    async def stored_lines(self, attempt: Attempt) -> list[str]:
        """What the log holds of an attempt, as a reader would put it together."""
        subject = subjects.log(attempt.workflow_id, attempt.task, attempt.retry_id)
        texts: list[str] = []
        for record in await self.auditor.log.load(subject):
            batch = msgspec.json.decode(record.data, type=LogBatch)
            fresh = max(0, len(texts) - batch.first)
            texts += [line.text for line in batch.lines[fresh:]]
        return texts

    def finding(self) -> list[str]:
        """Bugs that ended a service, and nodes that were given more than they have."""
        return [*self.overcommitted, *(line for process in self.processes for line in process.unexpected)]

    def _process(self, name: str, opens: Opens) -> SimulatedProcess:
        return SimulatedProcess(name, self.server.connect, opens)

    def _gateway(self, connection: MemoryConnection, life: int) -> AbstractAsyncContextManager[App]:
        settings = GatewaySettings(port=None, base_url="http://simulated")
        rng = self.random("gateway", life)
        return open_gateway(
            settings, connection, self.clock, rng, self.views, seed=seed_config(sum(self.nodes.values()))
        )

    def _submit(self, connection: MemoryConnection, life: int) -> AbstractAsyncContextManager[App]:
        return open_submit(SubmitSettings(), connection, self.clock, self.random("submit", life), InProcessRenderer())

    def _scheduler(self, name: str) -> Opens:
        """Two of them for one shard: whoever does not hold the lease stands by."""
        settings = SchedulerSettings(snapshot_commits=20, snapshot_every_s=10, rest_after=3)

        def opens(connection: MemoryConnection, life: int) -> AbstractAsyncContextManager[App]:
            rng = self.random("scheduler", name, life)
            return open_scheduler(settings, connection, self.clock, rng, task_key=TASK_KEY)

        return opens

    def _agent(self, connection: MemoryConnection, life: int) -> AbstractAsyncContextManager[App]:
        runtime = SimulatedRuntime(self.cluster, self.clock)
        return open_agent(
            AgentSettings(runtime="simulated"), connection, self.clock, self.random("agent", life), runtime
        )

    def _log_router(self, connection: MemoryConnection, life: int) -> AbstractAsyncContextManager[App]:
        settings = LogRouterSettings(log_router_port=NO_SOCKET)
        return open_log_router(settings, connection, self.clock, self.random("log-router", life), TASK_KEY)

    def _data(self, connection: MemoryConnection, life: int) -> AbstractAsyncContextManager[App]:
        return open_data(DataSettings(), connection, self.clock, self.random("data", life))

    def _pod_made(self, pod: Pod) -> None:
        self.starts.append(PodStart(pod.workflow_uuid, pod.task, pod.retry_id, datetime.fromtimestamp(pod.since, UTC)))
        self._talk(Attempt(pod.workflow_id, pod.task, pod.retry_id))
        name = pod.workflow_id.rsplit("-", 1)[0]
        used = sum(
            self.gpus_of.get((other.workflow_id.rsplit("-", 1)[0], other.task), 0)
            for other in self.cluster.pods()
            if other.node == pod.node and not other.ended
        )
        if used > self.nodes.get(pod.node, 0):
            self.overcommitted.append(
                f"{pod.node} has {self.nodes.get(pod.node, 0)} GPUs, and {used} are in use since {name}/{pod.task} began"
            )

    def _talk(self, attempt: Attempt) -> None:
        """The pod's control container tells its lines, for as long as it takes."""
        rng = self.random("ctrl", attempt)
        lines = [f"{attempt} line {number}" for number in range(rng.choice((0, 1, 30, 200)))]
        token = task_token(TASK_KEY, attempt.workflow_id, attempt.task, attempt.retry_id)
        ctrl = SimulatedCtrl(attempt, token, lines, rng)
        self.ctrls.append(ctrl)
        self._talking.append(asyncio.create_task(ctrl.run(lambda: self.router), name=f"ctrl {attempt}"))
