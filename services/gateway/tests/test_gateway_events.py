"""`workflow events`: commits and what clusters said about pods, as one story."""

import asyncio
from datetime import timedelta

from services.gateway.tests.gateway_house import T0, House, ended, open_house, started, submitted

from osmo_domain.cluster import PodEvent, PodFact, PodPhase, PodsSeen
from osmo_domain.workflow.status import TaskStatus


def said(reason: str, message: str, *, seconds: int, task: str = "t", retry_id: int = 0) -> PodEvent:
    return PodEvent("w-1", task, retry_id, reason, message, T0 + timedelta(seconds=seconds))


def seen(*events: PodEvent) -> PodsSeen:
    pod = PodFact("w-1", "uuid", "t-group", "t", 0, "pod", PodPhase.INITIALIZING, T0)
    return PodsSeen(pods=(pod,), events=events)


async def lines(house: House, query: str = "") -> list[str]:
    async with house.session.get(f"/api/workflow/w-1/events{query}") as answer:
        assert answer.status == 200
        return (await answer.text("utf-8")).splitlines()


async def test_events_of_pods_stand_among_the_commits_in_order_of_time() -> None:
    async with open_house() as house:
        await house.append("w-1", submitted())
        await house.append("w-1", *started())
        await house.see(
            seen(said("Failed", "no such image", seconds=12), said("BackOff", "waits", seconds=14)), kind="pods"
        )
        await house.append("w-1", *ended("t", TaskStatus.FAILED_IMAGE_PULL, None))
        told = await lines(house)
        assert "2026-11-20 11:00:12 [t] Failed: no such image" in told
        assert told == sorted(told, key=lambda line: line[:19])
        assert told[-1].endswith("Finished: FAILED_IMAGE_PULL")


async def test_the_end_waits_for_what_the_cluster_said_before_it() -> None:
    async with open_house() as house:
        await house.append("w-1", submitted(), *started(), settle=False)
        for n in range(300):
            await house.see(seen(said("Pulling", f"try {n}", seconds=n // 30)), kind="pods")
        await house.append("w-1", *ended("t", TaskStatus.FAILED_IMAGE_PULL, None))
        assert any("try 299" in line for line in await lines(house))


async def test_a_reader_hears_of_pods_while_nothing_is_decided() -> None:
    async with open_house() as house:
        await house.append("w-1", submitted(), *started())
        async with asyncio.timeout(10), house.session.get("/api/workflow/w-1/events") as answer:
            await answer.content.readuntil(b"[t] Running: its pod runs\n")
            await house.see(seen(said("Unhealthy", "probe failed", seconds=20)), kind="pods")
            assert await answer.content.readline() == b"2026-11-20 11:00:20 [t] Unhealthy: probe failed\n"


async def test_events_are_filtered_by_task_and_attempt_and_the_oldest_give_way() -> None:
    async with open_house() as house:
        await house.append("w-1", submitted(tasks=("t", "u")), *started("t"), *started("u"))
        await house.see(seen(*(said("Pulling", f"try {n}", seconds=1) for n in range(120))), kind="pods")
        await house.see(seen(said("Pulled", "there", seconds=2, task="u")), kind="pods")
        await house.append("w-1", *ended("t", last=False), *ended("u"))
        assert sum("Pulling" in line for line in await lines(house)) == 100
        assert [line for line in await lines(house, "?task_name=u") if "Pull" in line] == [
            "2026-11-20 11:00:02 [u] Pulled: there"
        ]


async def test_facts_that_cannot_be_read_hold_nothing_up() -> None:
    async with open_house() as house:
        await house.append("w-1", submitted())
        await house.connection.log.publish("osmo.cluster.b1.pods._", b"{nonsense", message_id="x")
        await house.see(seen(said("Failed", "nul \x00 here", seconds=3)), kind="pods")
        await house.append("w-1", *started(), *ended())
        assert any("nul \N{REPLACEMENT CHARACTER} here" in line for line in await lines(house))
