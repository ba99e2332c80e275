"""Answers that are kept are never older than the rows."""

from datetime import timedelta
from typing import Any

import pytest
from services.gateway.tests.gateway_house import T0, House, ended, open_house, started, submitted

from osmo_domain.workflow.events import WorkflowTagged
from osmo_gateway.kept import Kept
from osmo_views.memory import MemoryWorkflowViews
from osmo_views.ports import WorkflowFilter


async def got(house: House, path: str) -> Any:
    async with house.session.get(path) as answer:
        assert answer.status == 200
        return await answer.json()


async def listed(house: House, query: str = "") -> list[tuple[str, str]]:
    found = await got(house, f"/api/workflow?all_pools=true{query}")
    return [(entry["name"], entry["status"]) for entry in found["workflows"]]


@pytest.mark.parametrize("query", ["", "?skip_groups=true", "?verbose=true"])
async def test_a_query_shows_every_commit_and_the_time_that_passes(query: str) -> None:
    async with open_house() as house:
        await house.append("w-1", submitted())
        await house.append("w-1", *started())
        for seconds in (30, 60):
            house.clock.at = T0 + timedelta(seconds=seconds)
            found = await got(house, f"/api/workflow/w-1{query}")
            assert (found["status"], found["duration"]) == ("RUNNING", seconds - 10)
        uuid = found["uuid"]
        await house.append("w-1", *ended())
        for name in ("w-1", uuid, "w-1"):
            found = await got(house, f"/api/workflow/{name}{query}")
            assert (found["status"], found["duration"], found["tags"]) == ("COMPLETED", 20, [])
        await house.append("w-1", WorkflowTagged(at=T0, add=("red",)))
        assert (await got(house, f"/api/workflow/w-1{query}"))["tags"] == ["red"]


async def test_kept_groups_are_what_was_read() -> None:
    async with open_house() as house:
        await house.append("w-1", submitted(tasks=("a", "b")), *started("a"), *started("b"))
        first, second = [await got(house, "/api/workflow/w-1") for _ in range(2)]
        assert first == second
        assert [group["tasks"][0]["name"] for group in first["groups"]] == ["a", "b"]


async def test_lists_show_every_commit() -> None:
    async with open_house() as house:
        for n in range(1, 5):
            await house.append(f"w-{n}", submitted(f"w-{n}"))
        assert await listed(house) == [(f"w-{n}", "PENDING") for n in range(1, 5)]
        await house.append("w-2", *started())
        await house.append("w-3", *started(), *ended())
        for _ in range(2):
            expected = [("w-1", "PENDING"), ("w-2", "RUNNING"), ("w-3", "COMPLETED"), ("w-4", "PENDING")]
            assert await listed(house) == expected
            assert await listed(house, "&limit=2&offset=1") == expected[1:3]
            assert await listed(house, "&statuses=RUNNING") == expected[1:2]


async def test_what_moves_out_of_the_filter_while_it_is_read_is_not_shown() -> None:
    class Moving(MemoryWorkflowViews):
        async def versions(self, wanted: WorkflowFilter) -> list[tuple[str, int]]:
            found = list(await super().versions(wanted))
            await house.append("w-1", *ended())
            return found

    async with open_house(Moving()) as house:
        await house.append("w-1", submitted(), *started())
        await house.append("w-2", submitted("w-2"), *started())
        assert await listed(house, "&statuses=RUNNING") == [("w-2", "RUNNING")]


def test_what_is_kept_is_bounded_and_goes_when_it_is_not_used() -> None:
    kept: Kept[str] = Kept(30)
    for name in "abc":
        kept.put(name, 1, name, size=10)
    assert kept.get("a", 1) == "a"
    kept.put("d", 1, "d", size=10)
    assert [kept.get(name, 1) for name in "abcd"] == ["a", None, "c", "d"]
    kept.put("a", 2, "new", size=10)
    assert (kept.get("a", 1), kept.get("a", 2), kept.get("a", None)) == (None, "new", None)
    kept.put("large", 1, "x", size=31)
    assert "large" not in kept
