"""The read model follows the log: through failures, over restarts, and from nothing."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from services.gateway.tests.gateway_house import SEED, SetClock, ended, open_house, started, submitted

import osmo_gateway.projection
import osmo_views.postgres
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import CONFIG_CODEC, Catalogue, apply_config
from osmo_domain.errors import Transient
from osmo_domain.workflow.events import WorkflowEvent
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.subjects import CONFIG, workflow
from osmo_gateway.arrivals import Watchers
from osmo_gateway.projection import Projection
from osmo_gateway.seeding import sow
from osmo_gateway.settings import Settings
from osmo_service.settings import BadSettings
from osmo_views.memory import MemoryWorkflowViews
from osmo_views.ports import TaskFilter, WorkflowFilter, WorkflowViews
from osmo_views.postgres import open_workflow_views
from osmo_views.rows import Changes

_NUMBERS = itertools.count()


class Unsteady(MemoryWorkflowViews):
    """Views whose first writes fail."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def apply(self, changes: Changes) -> bool:
        if self.failures:
            self.failures -= 1
            raise Transient("away", delay_s=0.001)
        return await super().apply(changes)


def a_server() -> MemoryServer:
    return MemoryServer(SetClock(), random.Random(1))


@asynccontextmanager
async def projecting(server: MemoryServer, views: WorkflowViews) -> AsyncIterator[Projection]:
    connection = server.connect("gateway")
    projection = Projection(connection.log, connection.blobs, views, Watchers())
    running = asyncio.create_task(projection.run())
    try:
        async with asyncio.timeout(20):
            await projection.caught_up.wait()
        yield projection
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def write(server: MemoryServer, workflow_id: str, *events: WorkflowEvent) -> int:
    commit: Commit[WorkflowEvent] = Commit(id=f"p{next(_NUMBERS)}", at=SetClock().now(), actor="t", events=list(events))
    log = server.connect("writer").log
    return await log.publish(workflow(0, workflow_id), encode_commit(commit), message_id=commit.id)


async def a_history(server: MemoryServer) -> None:
    for n in range(1, 30):
        await write(server, f"w-{n}", submitted(f"w-{n}", user=f"u{n % 3}", tasks=("a", "b")))
        await write(server, f"w-{n}", *started("a"))
        if n % 2:
            await write(server, f"w-{n}", *ended("a", last=False))


async def everything(views: WorkflowViews) -> object:
    workflows = await views.workflows(WorkflowFilter(limit=1000))
    details = [await views.detail(row.workflow_id, all_attempts=True) for row in workflows]
    return workflows, details, await views.tasks(TaskFilter(limit=1000)), await views.submitters()


async def test_a_dropped_database_is_rebuilt_from_the_log_with_identical_rows(postgres_server: object) -> None:
    server = a_server()
    await a_history(server)
    memory = MemoryWorkflowViews()
    async with projecting(server, memory):
        pass
    rebuilt = []
    for name in ("rebuild_1", "rebuild_2"):
        url = postgres_server.create_database(name)  # type: ignore[attr-defined]
        async with open_workflow_views(url) as views, projecting(server, views):
            rebuilt.append(await everything(views))
        postgres_server.drop_database(name)  # type: ignore[attr-defined]
    assert rebuilt[0] == rebuilt[1] == await everything(memory)


async def test_a_gateway_that_starts_again_goes_on_where_it_was(database_url: str) -> None:
    server = a_server()
    for n in range(1, 6):
        await write(server, f"w-{n}", submitted(f"w-{n}"))
        async with open_workflow_views(database_url) as views, projecting(server, views):
            await write(server, f"w-{n}", *started("t"))
    last = await write(server, "w-1", *ended("t"))
    async with open_workflow_views(database_url) as views, projecting(server, views):
        found = await views.detail("w-1")
        assert await views.checkpoint() == last
        assert [row.status for row in await views.workflows(WorkflowFilter())] == ["COMPLETED"] + ["RUNNING"] * 4
        assert found is not None
        assert found.attempts[0].exit_code == 0


async def test_two_gateways_write_the_same_views_without_harm(database_url: str) -> None:
    server = a_server()
    memory = MemoryWorkflowViews()
    async with (
        open_workflow_views(database_url) as one,
        open_workflow_views(database_url) as two,
        projecting(server, one) as first,
        projecting(server, two) as second,
    ):
        await a_history(server)
        last = await write(server, "w-1", *started("b"))
        assert await first.reached(last, within_s=20)
        assert await second.reached(last, within_s=20)
        async with projecting(server, memory):
            assert await everything(one) == await everything(memory)


async def test_rows_of_another_version_of_the_fold_are_dropped_and_folded_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = a_server()
    await write(server, "w-1", submitted())
    async with open_workflow_views(database_url) as views, projecting(server, views):
        pass
    monkeypatch.setattr(osmo_views.postgres, "_VERSION", -1)
    async with open_workflow_views(database_url) as views:
        assert await views.checkpoint() == 0
        async with projecting(server, views):
            assert await views.workflow("w-1") is not None


async def test_writes_that_fail_are_repeated_until_they_succeed() -> None:
    server = a_server()
    await a_history(server)
    steady, unsteady = MemoryWorkflowViews(), Unsteady(failures=5)
    async with projecting(server, steady), projecting(server, unsteady):
        assert unsteady.failures == 0
        assert unsteady.dump() == steady.dump()


async def test_views_that_are_ahead_of_their_log_are_rebuilt() -> None:
    views = MemoryWorkflowViews()
    await views.apply(Changes(last_seq=1000))
    server = a_server()
    await write(server, "w-1", submitted())
    async with projecting(server, views):
        assert await views.checkpoint() == 1
        assert await views.workflow("w-1") is not None


async def test_rows_that_a_crash_of_the_database_took_are_folded_again() -> None:
    server, views = a_server(), MemoryWorkflowViews()
    await a_history(server)
    async with projecting(server, views) as projection:
        await views.reset()
        last = await write(server, "w-1", *started("b"))
        assert await projection.reached(last, within_s=20)
        expected = MemoryWorkflowViews()
        async with projecting(server, expected):
            assert views.dump() == expected.dump()


async def test_rows_that_a_crash_took_come_back_without_a_new_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osmo_gateway.projection, "_LOOK_EVERY_S", 0.01)
    server, views = a_server(), MemoryWorkflowViews()
    last = await write(server, "w-1", submitted())
    async with projecting(server, views):
        await views.reset()
        async with asyncio.timeout(20):
            while await views.checkpoint() < last:
                await asyncio.sleep(0.01)
        assert await views.workflow("w-1") is not None


async def test_messages_that_are_no_commits_hold_nothing_up() -> None:
    server = a_server()
    await server.connect("writer").log.publish(workflow(0, "w-1"), b"{nonsense", message_id="x")
    await write(server, "w-2", submitted("w-2"))
    views = MemoryWorkflowViews()
    async with projecting(server, views) as projection:
        assert await projection.reached(2, within_s=5)
        assert await views.workflow("w-2") is not None


async def test_waiting_for_a_position_is_bounded() -> None:
    async with projecting(a_server(), MemoryWorkflowViews()) as projection:
        assert not await projection.reached(7, within_s=0.01)
        assert await projection.reached(0, within_s=0.01)


async def test_seeds_are_sown_once_and_never_over_what_is_there() -> None:
    server = a_server()
    log = server.connect("gateway").log
    for _ in range(2):
        await sow(SEED, log, SetClock())
    catalogue = Catalogue.empty()
    records = [
        record for kind in ("pool", "backend", "workflow") for record in await log.load(f"osmo.config.{kind}.default")
    ]
    for record in records:
        for event in CONFIG_CODEC.decode(record.data).events:
            apply_config(catalogue, event)  # type: ignore[arg-type]
    assert catalogue.pools["default"] == SEED.pools[0]
    assert await log.last_seq(CONFIG) == len(SEED.objects())


async def test_views_that_are_away_are_answered_as_unavailable() -> None:
    class Away(MemoryWorkflowViews):
        async def workflow(self, id_or_uuid: str) -> None:
            raise Transient("the database is away", delay_s=2)

    async with open_house(Away()) as house, house.session.get("/api/workflow/w-1/spec") as answer:
        body = await answer.json()
        assert (answer.status, answer.headers["Retry-After"], body["code"]) == (503, "2", "server.unavailable")
        assert body["request_id"]


def test_dev_access_is_for_loopback_unless_somebody_says_so() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        Settings(host=host).check_access()
        assert Settings(host=host).dev
    with pytest.raises(BadSettings):
        Settings(host="0.0.0.0").check_access()
    Settings(host="0.0.0.0", dev_access=True).check_access()
    Settings(host="0.0.0.0", dev_access=False).check_access()
    assert not Settings(host="0.0.0.0", dev_access=False).dev
