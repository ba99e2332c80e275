"""Why groups wait, in the answers about a workflow: asked of the scheduler of its shard, and never waited for."""

import contextlib
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from services.gateway.tests.gateway_house import House, ended, open_house, started, submitted

from osmo_domain.pending import Change, ChangeKind, QuotaState, Reason, ReasonCode, Upstream
from osmo_domain.requests import ExplainPending, PendingExplained
from osmo_eventlog.subjects import scheduler_questions

QUOTA = Reason(
    ReasonCode.QUOTA,
    message="Asks for 10 GPUs; 96 of the 100 of pool default are used.",
    quota=QuotaState("default", 96, 100, 10),
    changes=(Change(ChangeKind.PRIORITY, "LOW", "with priority LOW"),),
)
UPSTREAM = Reason(ReasonCode.UPSTREAM, message="Waits for a.", upstreams=(Upstream("a-group", "PROCESSING"),))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as one:
        yield one


@contextlib.asynccontextmanager
async def scheduler(house: House) -> AsyncIterator[list[ExplainPending]]:
    """Answers for the workflow w-1, and remembers what it was asked."""
    asked: list[ExplainPending] = []

    async def answer(data: bytes) -> bytes:
        asked.append(msgspec.json.decode(data, type=ExplainPending))
        return msgspec.json.encode(PendingExplained({"a-group": QUOTA, "b-group": UPSTREAM}))

    async with house.connection.requests.serve("scheduler", scheduler_questions(0), answer):
        yield asked


async def get(house: House, path: str) -> tuple[int, dict[str, object]]:
    async with house.session.get(path) as answer:
        return answer.status, await answer.json()


def on_the_wire(reason: Reason) -> object:
    return msgspec.json.decode(msgspec.json.encode(reason))


async def test_each_waiting_group_has_its_reason_with_its_numbers(house: House) -> None:
    await house.append("w-1", submitted(tasks=("a", "b")))
    async with scheduler(house) as asked:
        _, body = await get(house, "/api/workflow/w-1")
    assert asked == [ExplainPending("w-1")]
    first, second = body["groups"]  # type: ignore[misc]
    assert first["pending_reason"] == on_the_wire(QUOTA)
    assert second["pending_reason"]["upstreams"] == [{"group": "a-group", "status": "PROCESSING"}]


async def test_why_asks_for_changes_too(house: House) -> None:
    await house.append("w-1", submitted(tasks=("a", "b")))
    async with scheduler(house) as asked:
        status, body = await get(house, "/api/workflow/w-1/why")
    assert (status, asked) == (200, [ExplainPending("w-1", changes=True)])
    assert (body["name"], body["status"]) == ("w-1", "PENDING")
    assert body["groups"] == [
        {"name": "a-group", "status": "WAITING", "reason": on_the_wire(QUOTA)},
        {"name": "b-group", "status": "WAITING", "reason": on_the_wire(UPSTREAM)},
    ]


async def test_without_a_scheduler_a_query_is_answered_at_once_and_why_says_that_it_is_away(house: House) -> None:
    await house.append("w-1", submitted())
    began = time.monotonic()
    status, body = await get(house, "/api/workflow/w-1")
    assert status == 200
    assert "pending_reason" not in body["groups"][0]  # type: ignore[index]
    assert time.monotonic() - began < 2
    status, _ = await get(house, "/api/workflow/w-1/why")
    assert status == 503


async def test_nobody_is_asked_about_what_runs_or_is_over(house: House) -> None:
    async with scheduler(house) as asked:
        await house.append("w-1", submitted(), *started())
        await get(house, "/api/workflow/w-1")
        status, body = await get(house, "/api/workflow/w-1/why")
        assert (status, body) == (200, {"name": "w-1", "status": "RUNNING", "groups": []})
        await house.append("w-1", *ended())
        await get(house, "/api/workflow/w-1")
    assert asked == []


async def test_why_of_an_unknown_workflow(house: House) -> None:
    status, body = await get(house, "/api/workflow/none-1/why")
    assert (status, body["code"]) == (400, "workflow.unknown")
