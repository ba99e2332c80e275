"""Every service of the control plane and a local backend in this process, over a real nats-server and PostgreSQL, with a wiretap on every subject.

Tasks are real processes of this machine. Each service has its own connection, as it would have in a process of its own.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import nats
from nats.aio.msg import Msg

from osmo_agent.app import open_app as open_agent
from osmo_agent.process import ProcessRuntime
from osmo_agent.settings import AgentSettings
from osmo_cli.up.seed import write_seed
from osmo_data.app import open_app as open_data
from osmo_data.settings import DataSettings
from osmo_domain.commit import Commit, CommitCodec, UnknownEvent
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowEvent
from osmo_eventlog.nats import apply_streams, connect
from osmo_eventlog.ports import Connection
from osmo_gateway.app import open_app as open_gateway
from osmo_gateway.app import read_seed
from osmo_gateway.settings import Settings as GatewaySettings
from osmo_log_router.app import open_app as open_log_router
from osmo_log_router.settings import LogRouterSettings
from osmo_scheduler.app import open_app as open_scheduler
from osmo_scheduler.settings import SchedulerSettings
from osmo_service.clock import SystemClock
from osmo_service.lifecycle import App, run_app
from osmo_submit.adapters.process_pool import open_renderer
from osmo_submit.app import open_app as open_submit
from osmo_submit.settings import SubmitSettings
from osmo_views.postgres import open_workflow_views

TASK_KEY = b"the key of this house"
READY_WITHIN_S = 30


@dataclass(frozen=True)
class Heard:
    """One message on any subject, in the order in which the server saw them."""

    number: int
    subject: str
    data: bytes


@dataclass
class Wiretap:
    heard: list[Heard] = field(default_factory=list)

    async def on_message(self, message: Msg) -> None:
        self.heard.append(Heard(len(self.heard), message.subject, message.data))

    def on(self, subject: str) -> list[Heard]:
        return [one for one in self.heard if one.subject == subject]

    def commits(self, subject: str, codec: CommitCodec[WorkflowEvent] = WORKFLOW_CODEC) -> list["HeardCommit"]:
        """What was committed on the subject, each commit once, whatever was sent twice."""
        found: dict[str, HeardCommit] = {}
        for one in self.on(subject):
            commit = codec.decode(one.data)
            found.setdefault(commit.id, HeardCommit(one.number, commit))
        return list(found.values())


@dataclass(frozen=True)
class HeardCommit:
    number: int
    commit: Commit[WorkflowEvent | UnknownEvent]

    def events(self, kind: type[msgspec.Struct]) -> Iterator[msgspec.Struct]:
        return (event for event in self.commit.events if isinstance(event, kind))


@dataclass
class House:
    """`url` is the gateway's; `directory` holds `storage` and `pods`."""

    url: str
    directory: Path
    tap: Wiretap


@asynccontextmanager
async def open_house(nats_url: str, database_url: str, directory: Path) -> AsyncIterator[House]:
    """Everything runs and a submission would be accepted, as long as the context is open."""
    async with AsyncExitStack() as stack:
        clock, rng = SystemClock(), random.Random(7)

        async def connected(name: str) -> Connection:
            return await stack.enter_async_context(connect(nats_url, name=name, rng=rng))

        await apply_streams(await connected("set-up"))
        tap = Wiretap()
        listening = await nats.connect(nats_url)
        stack.push_async_callback(listening.close)
        await listening.subscribe("osmo.>", cb=tap.on_message)
        await listening.flush()

        router = await stack.enter_async_context(
            open_log_router(LogRouterSettings(log_router_port=0), await connected("log-router"), clock, rng, TASK_KEY)
        )
        runtime = ProcessRuntime(directory / "pods", f"http://127.0.0.1:{router.port}", clock)
        stack.push_async_callback(runtime.close)
        seed_file = directory / "seed.json"
        write_seed(seed_file, storage=directory / "storage", base_url="http://house", simulated=False)
        renderer = await stack.enter_async_context(open_renderer(1, 0.5, 100 * 1024 * 1024))
        views = await stack.enter_async_context(open_workflow_views(database_url))
        opening = [
            open_data(DataSettings(), await connected("data"), clock, rng),
            open_submit(SubmitSettings(), await connected("submit"), clock, rng, renderer),
            open_scheduler(SchedulerSettings(), await connected("scheduler"), clock, rng, task_key=TASK_KEY),
            open_agent(AgentSettings(), await connected("agent-default"), clock, rng, runtime),
        ]
        apps: list[App] = [router, *[await stack.enter_async_context(one) for one in opening]]
        gateway = await stack.enter_async_context(
            open_gateway(
                GatewaySettings(port=0, base_url="http://house"),
                await connected("gateway"),
                clock,
                rng,
                views,
                seed=read_seed(seed_file.read_bytes()),
            )
        )
        await stack.enter_async_context(_running([*apps, gateway]))
        yield House(gateway.address, directory, tap)


@asynccontextmanager
async def _running(apps: list[App]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as together:
        for app in apps:
            together.create_task(run_app(app, stop), name=app.name)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                for app in apps:
                    await app.ready.wait()
            yield
        finally:
            stop.set()
