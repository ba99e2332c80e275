"""Logs as people follow them: what is stored, what comes, when it ends, and who reads slowly or leaves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from services.gateway.tests.gateway_house import T0, House, ended, open_house, started, submitted

from osmo_domain.logs import LineSource
from osmo_domain.workflow.events import TaskRescheduled
from osmo_domain.workflow.status import TaskStatus
from osmo_gateway.log_stream import LogQuery


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        await opened.append("w-1", submitted(tasks=("a", "b")), *started("a"), *started("b"))
        yield opened


async def finish(house: House) -> None:
    await house.append("w-1", *ended("a", last=False), *ended("b", TaskStatus.COMPLETED))


async def read(house: House, **params: str | int) -> list[str]:
    async with asyncio.timeout(10):
        return [line async for line in house.client.lines("/api/workflow/w-1/logs", params)]


async def test_lines_have_time_task_and_source(house: House) -> None:
    await house.say("w-1", "a", 0, "hello", "")
    await house.say("w-1", "a", 2, "fetching", "", source=LineSource.DOWNLOAD)
    await house.say("w-1", "a", 4, "again", retry_id=2, source=LineSource.STDERR, end=True)
    await house.say("w-1", "a", 4, end=True)
    await finish(house)
    assert await read(house) == [
        "2026/11/20 11:00:00 [a] hello",
        "2026/11/20 11:00:01 [a] ",
        "2026/11/20 11:00:02 [a][osmo] fetching",
        "2026/11/20 11:00:04 [a retry-2] again",
    ]


async def test_a_run_that_never_said_anything_has_an_empty_log(house: House) -> None:
    await finish(house)
    assert await read(house) == []


async def test_batches_that_come_twice_are_read_once_and_what_was_dropped_is_said(house: House) -> None:
    await house.say("w-1", "a", 0, "one", "two")
    await house.say("w-1", "a", 0, "one", "two")
    await house.say("w-1", "a", 1, "two", "three")
    await house.say("w-1", "a", 3, "four", dropped=7, end=True)
    await house.say("w-1", "a", 3, "four", dropped=7, end=True)
    await finish(house)
    lines = await read(house)
    assert [line.split("] ")[-1] for line in lines if "[osmo]" not in line] == ["one", "two", "three", "four"]
    assert [line for line in lines if "[osmo]" in line] == [
        "2026/11/20 11:00:03 [a][osmo] 7 lines are missing here: they came faster than they could be kept."
    ]


async def test_tasks_attempts_last_lines_and_searches_narrow_the_log(house: House) -> None:
    await house.say("w-1", "a", 0, *[f"line {n}" for n in range(20)], end=True)
    await house.say("w-1", "b", 0, "other", end=True)
    await house.say("w-1", "a", 0, "retried", retry_id=1, end=True)
    await finish(house)
    assert len(await read(house)) == 22
    assert len(await read(house, task_name="a")) == 21
    assert len(await read(house, retry_id=1)) == 1
    assert len(await read(house, task_name="a", retry_id=0)) == 20
    assert [line[-2:] for line in await read(house, task_name="a", retry_id=0, last_n_lines=2)] == ["18", "19"]
    assert await read(house, last_n_lines=0) == []
    assert len(await read(house, last_n_lines=10_000)) == 22
    assert len(await read(house, query="line 1[0-9]$")) == 10
    assert len(await read(house, query="line 1", last_n_lines=3)) == 3


async def test_a_follower_sees_lines_as_they_come_until_the_run_is_over(house: House) -> None:
    await house.say("w-1", "a", 0, "stored")
    lines = house.client.lines("/api/workflow/w-1/logs", {"last_n_lines": 1})
    async with asyncio.timeout(10):
        assert (await anext(lines)).endswith("stored")
        for n in range(1, 4):
            await house.say("w-1", "a", n, f"live {n}")
            assert (await anext(lines)).endswith(f"live {n}")
        await finish(house)
        await house.say("w-1", "a", 4, "last words", end=True)
        house.clock.at = T0 + timedelta(seconds=31)
        assert [line[-10:] async for line in lines] == ["last words"]


async def test_following_one_task_ends_with_that_task(house: House) -> None:
    await house.say("w-1", "a", 0, "done", end=True)
    await house.append("w-1", *ended("a", last=False))
    assert len(await read(house, task_name="a")) == 1


async def test_following_a_task_goes_on_over_its_retries(house: House) -> None:
    await house.say("w-1", "a", 0, "first", end=True)
    await house.append("w-1", TaskRescheduled(task="a", retry_id=0, at=T0, exit_code=1))
    assert len(await read(house, task_name="a", retry_id=0)) == 1
    lines = house.client.lines("/api/workflow/w-1/logs", {"task_name": "a"})
    async with asyncio.timeout(10):
        await anext(lines)
        await house.say("w-1", "a", 0, "second", retry_id=1, end=True)
        assert (await anext(lines)).endswith("[a retry-1] second")
        await lines.aclose()


async def test_a_killed_attempt_without_an_end_is_waited_for_a_bounded_time(house: House) -> None:
    await house.say("w-1", "a", 0, "cut o")
    await finish(house)
    house.clock.at = T0 + timedelta(hours=1)
    assert len(await read(house)) == 1


async def test_a_slow_reader_is_waited_for_and_loses_nothing(house: House) -> None:
    for n in range(50):
        await house.say("w-1", "a", n * 10, *[f"line {n * 10 + k}" for k in range(10)], end=n == 49)
    await finish(house)
    chunks: list[bytes] = []

    async def slowly(data: bytes) -> None:
        await asyncio.sleep(0.001)
        chunks.append(data)

    workflow = await house.gateway.workflows.find("w-1")
    await house.gateway.logs.tell(workflow, LogQuery(), slowly)
    assert b"".join(chunks).count(b"\n") == 500


async def test_a_reader_that_leaves_frees_what_it_held(house: House) -> None:
    await house.say("w-1", "a", 0, "hello")

    def tasks() -> Sequence[asyncio.Task[object]]:
        return [task for task in asyncio.all_tasks() if task.get_name().startswith("logs.")]

    async with house.session.get("/api/workflow/w-1/logs") as answer:
        await answer.content.readline()
        assert tasks()
    async with asyncio.timeout(5):
        while tasks():
            await asyncio.sleep(0.005)


async def test_error_logs_name_the_tasks_that_have_some_and_show_what_they_said(house: House) -> None:
    await house.say("w-1", "a", 0, "fine")
    await house.say("w-1", "a", 1, "oh no", source=LineSource.STDERR, end=True)
    await house.append("w-1", *ended("a", TaskStatus.FAILED, 2, last=False))
    text = (await house.client.call("GET", "/api/workflow/w-1/error_logs")).decode()
    assert '"a retry-0": "http://osmo.test/api/workflow/w-1/error_logs?' in text
    assert '"b retry-0": null' in text
    path = "/api/workflow/w-1/error_logs"
    lines = [line async for line in house.client.lines(path, {"task_name": "a", "retry_id": 0})]
    assert lines == ["2026/11/20 11:00:01 [a] oh no"]


async def test_the_head_says_what_the_reference_says(house: House) -> None:
    await finish(house)
    async with house.session.get("/api/workflow/w-1/logs") as answer:
        assert answer.headers["Content-Type"] == "text/plain; charset=us-ascii"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
