"""A process runtime with a fake log-router, for tests that run real processes."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fake_log_router import FakeLogRouter, Stored

from osmo_agent.process import ProcessOptions, ProcessRuntime
from osmo_agent.process.shims import end_shim
from osmo_domain.cluster import PodFact, PodPhase
from osmo_domain.command import CreateGroup, DeleteGroup, RestartTasks
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_runtime.pod_secrets import PodSecrets
from osmo_runtime.shim.pod_dir import PodDir
from osmo_service.clock import SystemClock

UUID = "0123456789abcdef" * 2
ENDED = (PodPhase.SUCCEEDED, PodPhase.FAILED, PodPhase.GONE)


async def eventually(condition: Callable[[], Any], within_s: float = 15) -> Any:
    """The first true value of `condition`, looked at every 5 ms."""
    async with asyncio.timeout(within_s):
        while not (value := condition()):
            await asyncio.sleep(0.005)
        return value


def bash(script: str, name: str = "a", **more: Any) -> TaskPlan:
    return TaskPlan(name=name, image="ubuntu:24.04", command=("bash", "-c", script), **more)


def marked(pod: Path) -> list[int]:
    """Processes that carry the mark of this pod."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"OSMO_POD={pod}".encode() in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
        except OSError:
            continue
    return found


@dataclass
class Cluster:
    runtime: ProcessRuntime
    router: FakeLogRouter
    state_dir: Path
    facts: list[PodFact] = field(default_factory=list)

    async def create(
        self,
        *tasks: TaskPlan,
        barrier: bool = False,
        retry_id: int = 0,
        secrets: Mapping[str, PodSecrets] | None = None,
    ) -> None:
        names = [task.name for task in tasks]
        await self.runtime.apply_group(
            CreateGroup(
                workflow_id="wf-1",
                workflow_uuid=UUID,
                pool="default",
                user="somebody",
                group_name="group",
                retry_ids=dict.fromkeys(names, retry_id),
                nodes=dict.fromkeys(names, "node"),
                group=GroupPlan("group", tasks, barrier=barrier),
                tokens=dict.fromkeys(names, "token"),
            ),
            secrets,
        )

    async def delete(self, task: str = "a", *, force: bool = False) -> None:
        await self.runtime.delete_group(DeleteGroup("wf-1", UUID, "group", {task: 0}, force=force))

    async def restart(self, task: str = "a", number: int = 1) -> None:
        await self.runtime.restart_tasks(RestartTasks("wf-1", UUID, "group", {task: 0}, restarts={task: number}))

    def stored(self, task: str = "a") -> Stored:
        return self.router.of("wf-1", task)

    def seen(self, task: str = "a") -> list[PodFact]:
        return [fact for fact in self.facts if fact.task == task]

    def last(self, task: str = "a") -> PodFact | None:
        return next(iter(reversed(self.seen(task))), None)

    async def ended(self, task: str = "a", within_s: float = 15) -> PodFact:
        def end() -> PodFact | None:
            last = self.last(task)
            return last if last is not None and last.phase in ENDED else None

        return await eventually(end, within_s)

    async def run(self, task: TaskPlan) -> PodFact:
        await self.create(task)
        return await self.ended(task.name)

    async def says(self, text: str, task: str = "a") -> None:
        await eventually(lambda: text in self.stored(task).texts())

    def user_code(self, task: str = "a") -> int | None:
        last = self.last(task)
        assert last is not None
        return next(each.exit_code for each in last.containers if each.role == "user")


@asynccontextmanager
async def one_life(state_dir: Path, router: FakeLogRouter, **options: Any) -> AsyncIterator[Cluster]:
    """One life of an agent: its runtime and one watch. Pods outlive it."""
    runtime = ProcessRuntime(state_dir, router.url, SystemClock(), ProcessOptions(**options))
    cluster = Cluster(runtime, router, state_dir)

    async def watch() -> None:
        async for batch in runtime.watch_pods():
            cluster.facts.extend(fact for fact in batch if isinstance(fact, PodFact))

    watching = asyncio.create_task(watch())
    try:
        yield cluster
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await runtime.close()


@asynccontextmanager
async def running_router() -> AsyncIterator[FakeLogRouter]:
    router = FakeLogRouter()
    await router.start()
    try:
        yield router
    finally:
        if router.running:
            await router.stop()


@asynccontextmanager
async def process_cluster(state_dir: Path, **options: Any) -> AsyncIterator[Cluster]:
    """An agent's runtime and a log-router; whatever still runs at the end is killed."""
    async with running_router() as router:
        try:
            async with one_life(state_dir, router, **options) as cluster:
                yield cluster
        finally:
            await kill_everything(state_dir)


async def kill_everything(state_dir: Path) -> None:
    for path in (state_dir / "pods").glob("[!.]*"):
        await end_shim(PodDir(path), force=True, grace_s=0)
    shutil.rmtree(state_dir, ignore_errors=True)
