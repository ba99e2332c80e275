"""What every PodRuntime promises its agent (osmo_agent.ports), on each adapter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.contracts.pod_runtimes import ADAPTERS, Lives, Opens, in_cluster

from osmo_agent.ports import PodRuntime
from osmo_domain.cluster import PodFact, PodPhase
from osmo_domain.command import CreateGroup, DeleteGroup
from osmo_domain.plan import GroupPlan, TaskPlan

UUID = "0123456789abcdef" * 2
ENDED = {PodPhase.SUCCEEDED, PodPhase.FAILED}


@pytest.fixture(params=[*sorted(ADAPTERS), pytest.param("kubernetes", marks=pytest.mark.xdist_group("cluster"))])
def adapter(request: pytest.FixtureRequest) -> Opens:
    if request.param == "kubernetes":
        return in_cluster(request.getfixturevalue("kubernetes"))
    return ADAPTERS[request.param]


@pytest.fixture
async def lives(adapter: Opens, tmp_path: Path) -> AsyncIterator[Lives]:
    async with adapter(tmp_path / "state") as opened:
        yield opened


class Seen:
    """What one watch of one life shows."""

    def __init__(self) -> None:
        self.facts: list[PodFact] = []

    async def follow(self, runtime: PodRuntime) -> None:
        async for batch in runtime.watch_pods():
            self.facts += [seen for seen in batch if isinstance(seen, PodFact)]

    def of(self, task: str, retry_id: int = 0) -> list[PodFact]:
        return [fact for fact in self.facts if (fact.task, fact.retry_id) == (task, retry_id)]

    async def end(self, task: str = "a", retry_id: int = 0) -> PodFact:
        await eventually(lambda: bool(self.of(task, retry_id)) and self.of(task, retry_id)[-1].phase in ENDED)
        return self.of(task, retry_id)[-1]


@asynccontextmanager
async def living(lives: Lives) -> AsyncIterator[tuple[PodRuntime, Seen]]:
    """One life with one watch."""
    async with lives() as runtime:
        seen = Seen()
        watching = asyncio.create_task(seen.follow(runtime))
        try:
            yield runtime, seen
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def eventually(condition: Callable[[], bool], within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


async def eventually_async(condition: Callable[[], Awaitable[bool]], within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.01)


def task(name: str = "a", *, seconds: float = 0, code: int = 0) -> TaskPlan:
    """The same for real processes and for simulated ones."""
    return TaskPlan(
        name=name,
        image="any",
        command=("sh", "-c", f"sleep {seconds}; exit {code}"),
        environment={"SIM_SECONDS": str(seconds), "SIM_EXIT_CODE": str(code)},
    )


async def create(runtime: PodRuntime, *tasks: TaskPlan, retry_id: int = 0) -> None:
    node = (await runtime.list_nodes())[0].name
    names = [each.name for each in tasks]
    retries, nodes, tokens = dict.fromkeys(names, retry_id), dict.fromkeys(names, node), dict.fromkeys(names, "token")
    group = GroupPlan("g", tasks, barrier=False)
    await runtime.apply_group(CreateGroup("wf-1", UUID, "p", "u", "g", retries, nodes, group, tokens=tokens))


async def delete(runtime: PodRuntime, name: str = "a", retry_id: int = 0) -> None:
    await runtime.delete_group(DeleteGroup("wf-1", UUID, "g", {name: retry_id}, force=True))


def user_code(fact: PodFact) -> int | None:
    return next(container.exit_code for container in fact.containers if container.role == "user")


@pytest.mark.parametrize("code", [0, 3])
async def test_a_pod_goes_forward_to_its_end_and_says_its_exit_code(lives: Lives, code: int) -> None:
    async with living(lives) as (runtime, seen):
        await create(runtime, task(code=code))
        end = await seen.end()
        assert end.phase is (PodPhase.SUCCEEDED if code == 0 else PodPhase.FAILED)
        assert user_code(end) == code
        phases = [fact.phase for fact in seen.of("a")]
        assert phases == sorted(phases, key=list(PodPhase).index)
        assert PodPhase.RUNNING in phases


async def test_applying_again_makes_nothing_new(lives: Lives) -> None:
    async with living(lives) as (runtime, seen):
        await create(runtime, task(), task("b"))
        await create(runtime, task(), task("b"))
        for name in ("a", "b"):
            await seen.end(name)
        await create(runtime, task(), task("b"))
        await asyncio.sleep(0)
        assert sorted(pod.task for pod in await runtime.list_pods()) == ["a", "b"]
        assert {pod.phase for pod in await runtime.list_pods()} == {PodPhase.SUCCEEDED}


async def test_only_the_named_attempts_are_made(lives: Lives) -> None:
    async with living(lives) as (runtime, seen):
        node = (await runtime.list_nodes())[0].name
        group = GroupPlan("g", (task(), task("b")), barrier=False)
        await runtime.apply_group(
            CreateGroup("wf-1", UUID, "p", "u", "g", {"b": 2}, {"b": node}, group, tokens={"b": "t"})
        )
        await seen.end("b", 2)
        assert [(pod.task, pod.retry_id) for pod in await runtime.list_pods()] == [("b", 2)]


async def test_a_deleted_pod_goes_and_never_comes_again(lives: Lives) -> None:
    async def gone(runtime: PodRuntime) -> bool:
        return not await runtime.list_pods()

    async with living(lives) as (runtime, seen):
        await create(runtime, task(seconds=60))
        await eventually(lambda: bool(seen.of("a")) and seen.of("a")[-1].phase is PodPhase.RUNNING)
        await delete(runtime)
        await delete(runtime)
        await eventually_async(lambda: gone(runtime))
        await create(runtime, task(seconds=60))
        assert await gone(runtime)
    async with living(lives) as (runtime, seen):
        await create(runtime, task(seconds=60))
        assert await gone(runtime)
        await create(runtime, task(), retry_id=1)
        await seen.end(retry_id=1)


async def test_deleting_before_creating_wins(lives: Lives) -> None:
    async with living(lives) as (runtime, _):
        await delete(runtime)
        await create(runtime, task(seconds=60))
        assert await runtime.list_pods() == []


async def test_a_late_watch_begins_with_the_present(lives: Lives) -> None:
    async with lives() as runtime:
        await create(runtime, task(code=5))
        late = Seen()
        watching = asyncio.create_task(late.follow(runtime))
        assert user_code(await late.end()) == 5
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        later = Seen()
        watching = asyncio.create_task(later.follow(runtime))
        assert user_code(await later.end()) == 5
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_pods_outlive_the_agent_and_are_found_again(lives: Lives) -> None:
    async with living(lives) as (runtime, seen):
        await create(runtime, task(seconds=1, code=7))
        await eventually(lambda: bool(seen.of("a")) and seen.of("a")[-1].phase is PodPhase.RUNNING)
        identity = await runtime.identity()
    async with living(lives) as (runtime, seen):
        assert await runtime.identity() == identity
        assert [pod.task for pod in await runtime.list_pods()] == ["a"]
        assert user_code(await seen.end()) == 7


async def test_nodes_have_room(lives: Lives) -> None:
    async with lives() as runtime:
        nodes = await runtime.list_nodes()
        assert nodes
        assert all(node.cpu > 0 and node.memory_bytes > 0 and node.available and not node.gone for node in nodes)
        assert len({node.name for node in nodes}) == len(nodes)
