"""A gateway over memory twins with a scripted front door, for the tests of this member."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec

from osmo_api.client import ApiClient, open_client
from osmo_domain.cluster import BackendRegistered, ClusterFact, Heartbeat, NodeFact, NodeSeen
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.ids import derived_uuid
from osmo_domain.logs import LineSource, LogBatch, LogLine
from osmo_domain.plan import GroupPlan, Plan, Resources, TaskPlan
from osmo_domain.pool import Backend, GpuQuota, Platform, Pool, WorkflowSettings
from osmo_domain.requests import FrontDoorAnswer, FrontDoorRequest
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupPlaced,
    GroupQueued,
    TaskFinished,
    TaskInitializing,
    TaskRunning,
    WorkflowEvent,
    WorkflowFinished,
    WorkflowSubmitted,
)
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_eventlog.enclosing import enclose, unwrap
from osmo_eventlog.memory import MemoryConnection, MemoryServer
from osmo_eventlog.subjects import FRONT_DOOR, cluster, workflow
from osmo_eventlog.subjects import log as log_subject
from osmo_gateway.app import GatewayApp, open_app
from osmo_gateway.gateway import Gateway
from osmo_gateway.seeding import Seed
from osmo_gateway.settings import Settings
from osmo_service.lifecycle import run_app
from osmo_views.memory import MemoryWorkflowViews
from osmo_views.ports import WorkflowViews

GIB = 1 << 30
T0 = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


class SetClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = T0

    def now(self) -> datetime:
        return self.at


POOL = Pool(
    name="default",
    backend="b1",
    default_platform="gpu",
    platforms={"gpu": Platform(labels={"kind": "gpu"}), "cpu": Platform(labels={"kind": "cpu"})},
    gpu=GpuQuota(guarantee=4),
    default_exec_timeout_s=432_000,
)
SEED = Seed(
    pools=(
        POOL,
        Pool(name="spare", backend="b1", platforms={"gpu": Platform(labels={"kind": "gpu"})}),
        Pool(name="far", backend="b2"),
    ),
    backends=(Backend(name="b1"), Backend(name="b2")),
    workflow=WorkflowSettings(tags=("red", "blue"), max_log_lines=10_000),
)


@dataclass
class House:
    """What a test has in hand. `answer` is what the front door says; `asked` is what it was asked, in messages of `sizes`."""

    clock: SetClock
    connection: MemoryConnection
    app: GatewayApp
    client: ApiClient
    session: aiohttp.ClientSession
    asked: list[FrontDoorRequest] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    answer: Callable[[FrontDoorRequest], FrontDoorAnswer] | None = None
    _count: int = 0

    @property
    def gateway(self) -> Gateway:
        assert self.app.gateway is not None
        return self.app.gateway

    async def append(self, workflow_id: str, *events: WorkflowEvent, settle: bool = True) -> int:
        seq = await self._publish(workflow(0, workflow_id), encode_commit(self._commit(list(events))))
        if settle:
            assert await self.gateway.projection.reached(seq, within_s=5)
        return seq

    async def see(self, fact: ClusterFact, *, kind: str, name: str = "_", backend: str = "b1") -> None:
        await self._publish(cluster(backend, kind, name), encode_commit(self._commit([fact])))

    async def say(
        self, workflow_id: str, task: str, first: int, *texts: str, retry_id: int = 0, source: LineSource = LineSource.STDOUT,
        end: bool = False, dropped: int = 0,
    ) -> None:  # fmt: skip
        at_ms = int(T0.timestamp() * 1000)
        lines = tuple(LogLine(at_ms + 1000 * (first + n), source, text) for n, text in enumerate(texts))
        batch = LogBatch(first=first, lines=lines, end=end, dropped=dropped)
        await self._publish(log_subject(workflow_id, task, retry_id), msgspec.json.encode(batch))

    async def _publish(self, subject: str, data: bytes) -> int:
        self._count += 1
        return await self.connection.log.publish(subject, data, message_id=f"m{self._count}")

    def _commit(self, events: list[object]) -> Commit[object]:
        self._count += 1
        return Commit(id=f"c{self._count}", at=self.clock.now(), actor="test", events=events)


@asynccontextmanager
async def open_house(views: WorkflowViews | None = None) -> AsyncIterator[House]:
    clock = SetClock()
    server = MemoryServer(clock, random.Random(1))
    connection = server.connect("gateway")
    settings = Settings(port=0, base_url="http://osmo.test")
    async with contextlib.AsyncExitStack() as stack:
        app = await stack.enter_async_context(
            open_app(settings, connection, clock, random.Random(2), views or MemoryWorkflowViews(), seed=SEED)
        )
        stop = asyncio.Event()
        running = asyncio.create_task(run_app(app, stop))
        client = await stack.enter_async_context(open_client(app.address, user="ann"))
        session = await stack.enter_async_context(aiohttp.ClientSession(app.address))
        house = House(clock, server.connect("test"), app, client, session)

        async def front_door(data: bytes) -> bytes:
            house.sizes.append(len(data))
            request = msgspec.json.decode(await unwrap(data, house.connection.blobs), type=FrontDoorRequest)
            house.asked.append(request)
            assert house.answer is not None
            return await enclose(msgspec.json.encode(house.answer(request)), house.connection.blobs)

        await stack.enter_async_context(house.connection.requests.serve("submit", FRONT_DOOR, front_door))
        async with asyncio.timeout(10):
            await app.ready.wait()
        await tell_of_nodes(house)
        try:
            yield house
        finally:
            stop.set()
            await running


async def tell_of_nodes(house: House) -> None:
    """Backend b1 is online with two GPU nodes and one without."""
    await house.see(BackendRegistered("b1", "uid", "1", "simulated", T0), kind="registered")
    for name, kind, gpu in (("g1", "gpu", 8), ("g2", "gpu", 8), ("c1.example", "cpu", 0)):
        node = NodeFact(
            name=name, at=T0, cpu=64, gpu=gpu, memory_bytes=256 * GIB, storage_bytes=1000 * GIB, used_cpu=1.5,
            used_gpu=1 if name == "g2" else 0, labels={"kind": kind},
        )  # fmt: skip
        await house.see(NodeSeen(node), kind="node", name=name)
    await house.see(Heartbeat(T0), kind="heartbeat")
    async with asyncio.timeout(5):
        while (
            len(house.gateway.estate.layout.nodes) < 3
            or not house.gateway.estate.clusters.by_backend["b1"].last_heartbeat
        ):
            await asyncio.sleep(0.001)


def a_plan(name: str, tasks: tuple[str, ...] = ("t",), **more: object) -> Plan:
    asked = Resources(cpu=2, gpu=1, memory_bytes=4 * GIB, storage_bytes=GIB)
    groups = tuple(
        GroupPlan(
            name=f"{task}-group",
            tasks=(TaskPlan(name=task, image="i", command=("c",), resources=asked),),
            upstreams=(f"{tasks[n - 1]}-group",) if n else (),
        )
        for n, task in enumerate(tasks)
    )
    return Plan(name=name, pool="default", backend="b1", groups=groups, exec_timeout_s=60.0, **more)  # type: ignore[arg-type]


def submitted(
    workflow_id: str = "w-1", *, user: str = "ann", tasks: tuple[str, ...] = ("t",), **more: object
) -> WorkflowSubmitted:
    return WorkflowSubmitted(
        workflow_id=workflow_id,
        uuid=derived_uuid(workflow_id),
        user=user,
        at=T0 + timedelta(seconds=int(workflow_id.rpartition("-")[2])),
        plan=a_plan(workflow_id.rpartition("-")[0], tasks),
        **more,  # type: ignore[arg-type]
    )


def started(task: str = "t", at: datetime = T0 + timedelta(seconds=10)) -> list[WorkflowEvent]:
    return [
        GroupQueued(group=f"{task}-group", at=at),
        GroupPlaced(group=f"{task}-group", at=at, backend="b1", nodes={task: "g1"}, retry_ids={task: 0}),
        TaskInitializing(task=task, retry_id=0, at=at),
        TaskRunning(task=task, retry_id=0, at=at, ip="10.0.0.9"),
    ]


def ended(
    task: str = "t", status: TaskStatus = TaskStatus.COMPLETED, code: int | None = 0, *, last: bool = True
) -> list[WorkflowEvent]:
    at = T0 + timedelta(seconds=30)
    events: list[WorkflowEvent] = [
        TaskFinished(task=task, retry_id=0, status=status, at=at, exit_code=code),
        GroupFinished(group=f"{task}-group", status=status, at=at),
    ]
    if last:
        events.append(WorkflowFinished(status=WorkflowStatus(status.value), at=at))
    return events
