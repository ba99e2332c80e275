"""Lines under bad conditions: a log-router that is away, torn connections, refusals. None is lost, none comes twice."""

import asyncio
import random
from pathlib import Path

from tests.process_cluster import bash, eventually, process_cluster

from osmo_domain.cluster import PodPhase
from osmo_domain.report import TaskPhase
from osmo_runtime.ctrl.reports import Phase

NUMBERS = "i=0; while [ $i -lt {count} ]; do echo line $i; i=$((i+1)); {pause}; done"


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(count)]


def test_phases_are_those_that_log_router_knows() -> None:
    assert set(Phase.__args__) == set(TaskPhase)  # type: ignore[attr-defined]


async def test_a_task_starts_and_ends_its_work_without_log_router_and_waits_for_it_at_its_end(tmp_path: Path) -> None:
    async with process_cluster(tmp_path / "state") as cluster:
        await cluster.router.stop()
        await cluster.create(bash(f"{NUMBERS.format(count=500, pause=':')}; touch /osmo/run/worked"))
        await eventually(lambda: list((tmp_path / "state/pods").glob("*/root/osmo/run/worked")))
        last = cluster.last()
        assert last is not None
        assert last.phase is PodPhase.RUNNING
        await cluster.router.start()
        assert (await cluster.ended()).phase is PodPhase.SUCCEEDED
        assert cluster.stored().texts("STDOUT") == numbered(500)


async def test_a_router_that_goes_away_for_a_second_costs_no_line(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(bash(NUMBERS.format(count=400, pause="sleep 0.005")))
        await eventually(lambda: len(cluster.stored().lines) > 50)
        await cluster.router.stop()
        await asyncio.sleep(1)
        await cluster.router.start()
        await cluster.ended()
        assert cluster.stored().texts("STDOUT") == numbered(400)
        assert len(cluster.stored().hellos) >= 2


async def test_torn_connections_lose_and_repeat_nothing(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        cluster.router.tear_after_frames = random.Random(7)
        await cluster.create(bash(f"{NUMBERS.format(count=300, pause='sleep 0.002')}; seq 20000"))
        await cluster.ended(within_s=60)
        assert cluster.stored().texts("STDOUT") == [*numbered(300), *map(str, range(1, 20001))]
        assert cluster.stored().dropped == 0


async def test_a_loud_task_loses_nothing(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        assert (await cluster.run(bash("seq 300000"))).phase is PodPhase.SUCCEEDED
        assert cluster.stored().texts("STDOUT") == list(map(str, range(1, 300001)))


async def test_long_lines_are_split_and_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.run(bash(r"head -c 100000 /dev/zero | tr '\0' x; printf '\nbad \xff byte\nquote \" \\ \t tab\n'"))
        said = cluster.stored().texts("STDOUT")
        assert "".join(said[:-2]) == "x" * 100_000
        assert max(map(len, said)) <= 32 * 1024
        assert said[-2:] == ["bad \ufffd byte", 'quote " \\ \t tab']


async def test_a_refused_control_container_stops_the_command_and_ends_with_20(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        cluster.router.refuse = "unknown attempt"
        fact = await cluster.run(bash("sleep 1000"))
        ctrl = next(each for each in fact.containers if each.role == "ctrl")
        assert (ctrl.exit_code, ctrl.message) == (20, "log-router refused this task: unknown attempt")
