"""Lists are of the rows as they are at that moment, whoever asked before and whoever wrote them. Over a real PostgreSQL."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from services.gateway.tests.gateway_house import T0, House, ended, open_house, started, submitted

from osmo_api.http import WorkflowListAnswer
from osmo_domain.commit import Commit
from osmo_domain.workflow.events import WorkflowTagged
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_gateway.workflow_answers import list_entry
from osmo_views.folding import Folder, LoggedCommit
from osmo_views.ports import WorkflowFilter
from osmo_views.postgres import PostgresWorkflowViews, open_workflow_views

LISTS = {
    "all_users=true": WorkflowFilter(),
    "all_users=true&order=DESC&limit=3": WorkflowFilter(descending=True, limit=3),
    "all_users=true&limit=4&offset=2": WorkflowFilter(limit=4, offset=2),
    "all_users=true&limit=0": WorkflowFilter(limit=0),
    "users=ann": WorkflowFilter(users=("ann",)),
    "all_users=true&statuses=RUNNING": WorkflowFilter(statuses=(WorkflowStatus.RUNNING,)),
    "all_users=true&statuses=COMPLETED&statuses=FAILED&order=DESC": WorkflowFilter(
        statuses=(WorkflowStatus.COMPLETED, WorkflowStatus.FAILED), descending=True
    ),
    "all_users=true&name=w-1": WorkflowFilter(name_part="w-1"),
    "all_users=true&tags=red": WorkflowFilter(any_tag=("red",)),
    "all_users=true&submitted_after=2026-11-20T11:00:05": WorkflowFilter(submitted_after=T0 + timedelta(seconds=5)),
}


@pytest.fixture
async def views(database_url: str) -> AsyncIterator[PostgresWorkflowViews]:
    async with open_workflow_views(database_url) as opened:
        yield opened


@pytest.fixture
async def house(views: PostgresWorkflowViews) -> AsyncIterator[House]:
    async with open_house(views) as opened:
        yield opened


async def got(house: House, path: str) -> bytes:
    async with house.session.get(path) as answer:
        assert answer.status == 200
        return await answer.read()


async def listed(house: House, query: str) -> bytes:
    return await got(house, f"/api/workflow?all_pools=true&{query}")


async def from_rows(house: House, wanted: WorkflowFilter) -> bytes:
    """The answer as it is made of every row anew."""
    rows = await house.gateway.views.workflows(msgspec.structs.replace(wanted, limit=wanted.limit + 1))
    now = house.clock.now()
    entries = [list_entry(row, house.gateway.links, now, (None, None)) for row in rows[: wanted.limit]]
    return msgspec.json.encode(WorkflowListAnswer(workflows=entries, more_entries=len(rows) > wanted.limit))


async def test_every_list_is_what_its_rows_say_after_every_change_and_as_time_passes(house: House) -> None:
    rng = random.Random(3)
    waiting, running, over = [], [], []
    for n in range(1, 13):
        name = f"w-{n}"
        await house.append(name, submitted(name, user=rng.choice(("ann", "bob"))))
        waiting.append(name)
        if rng.random() < 0.6:
            await house.append(waiting[0], *started(at=house.clock.at))
            running.append(waiting.pop(0))
        if running and rng.random() < 0.5:
            status = rng.choice((TaskStatus.COMPLETED, TaskStatus.FAILED))
            await house.append(running[0], *ended(status=status))
            over.append(running.pop(0))
        if over and rng.random() < 0.5:
            await house.append(over[-1], WorkflowTagged(at=T0, add=("red",)))
        for _ in range(2):
            house.clock.at += timedelta(seconds=rng.choice((0.0, 0.25, 3.123457)))
            for query, wanted in LISTS.items():
                assert await listed(house, query) == await from_rows(house, wanted), query
    assert waiting
    assert running
    assert over


async def test_tasks_are_what_their_rows_say_after_every_change_and_as_time_passes(house: House) -> None:
    async def durations(query: str) -> list[tuple[str, str, float | None]]:
        found: Any = msgspec.json.decode(await got(house, f"/api/task?all_pools=true&all_users=true&{query}"))
        return [(one["workflow_id"], one["status"], one["duration"]) for one in found["tasks"]]

    for n in range(1, 4):
        await house.append(f"w-{n}", submitted(f"w-{n}"))
    for n in range(1, 3):
        await house.append(f"w-{n}", *started())
    for seconds in (11.5, 12.25):
        house.clock.at = T0 + timedelta(seconds=seconds)
        expected = [("w-2", "RUNNING", seconds - 10), ("w-1", "RUNNING", seconds - 10), ("w-3", "WAITING", None)]
        for _ in range(2):
            assert await durations("order=DESC") == expected
            assert await durations("order=ASC") == expected[::-1]
            assert await durations("order=DESC&limit=1&offset=1") == expected[1:2]
            assert await durations("statuses=RUNNING&order=DESC") == expected[:2]
    await house.append("w-2", *ended())
    assert await durations("order=DESC") == [
        ("w-1", "RUNNING", 2.25), ("w-3", "WAITING", None), ("w-2", "COMPLETED", 20.0),
    ]  # fmt: skip
    assert await durations("statuses=COMPLETED") == [("w-2", "COMPLETED", 20.0)]


async def test_lists_show_at_once_what_another_gateway_wrote(house: House, database_url: str) -> None:
    seq = await house.append("w-1", submitted())
    assert await listed(house, "all_users=true") == await from_rows(house, WorkflowFilter())

    async def nothing(shard: int, workflow_id: str) -> Sequence[LoggedCommit]:
        del shard, workflow_id
        return []

    async with open_workflow_views(database_url) as others:
        folder = Folder(nothing)
        for n in range(2, 30):
            event = submitted(f"w-{n}")
            commit = LoggedCommit(seq + n, 0, f"w-{n}", Commit(f"c{n}", T0, "other", [event]))
            await others.apply(await folder.fold([commit], last_seq=commit.seq))
            assert f'"w-{n}"'.encode() in await listed(house, "all_users=true&limit=100")
            assert f'"w-{n}"'.encode() in await got(house, "/api/task?all_users=true&all_pools=true&limit=100")


async def test_callers_see_their_own_writes_among_many_who_read(house: House) -> None:
    done = asyncio.Event()

    async def reader() -> None:
        while not done.is_set():
            await listed(house, "all_users=true&limit=1000")

    async def writer(user: str, numbers: range) -> None:
        for n in numbers:
            seq = await house.append(f"w-{n}", submitted(f"w-{n}", user=user), settle=False)
            house.gateway.own_writes.note(seq, f"w-{n}", user)
            async with house.session.get(
                "/api/workflow?all_users=true&all_pools=true&limit=1000", headers={"x-osmo-user": user}
            ) as answer:
                assert f'"w-{n}"'.encode() in await answer.read()

    readers = [asyncio.create_task(reader()) for _ in range(4)]
    await asyncio.gather(writer("ann", range(1, 40)), writer("bob", range(100, 140)))
    done.set()
    await asyncio.gather(*readers)


async def test_a_list_after_the_views_were_dropped_is_that_of_the_views_that_are_built_again(house: House) -> None:
    for n in range(1, 6):
        await house.append(f"w-{n}", submitted(f"w-{n}"), *started())
    before = await listed(house, "all_users=true")
    await house.gateway.views.reset()
    assert msgspec.json.decode(await listed(house, "all_users=true"))["workflows"] == []
    async with asyncio.timeout(30):
        while await listed(house, "all_users=true") != before:
            await asyncio.sleep(0.05)
