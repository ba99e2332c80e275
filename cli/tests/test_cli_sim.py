"""`osmo sim`: a workload file in, waiting times out; and what is wrong with a file that is none."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osmo_cli.__main__ import run
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.plan import GroupPlan, Plan, Resources, TaskPlan
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupPlaced,
    GroupQueued,
    WorkflowEvent,
    WorkflowSubmitted,
)
from osmo_domain.workflow.status import TaskStatus

EXAMPLE = Path(__file__).parents[2] / "examples" / "workloads" / "day.yaml"

TWO_POOLS = """
pools:
  mine: {guarantee: 8}
  yours: {guarantee: 8}
nodes: [{count: 2, gpus: 8}]
arrivals:
  - {pool: yours, seconds: 3600, gpus: 8, priority: LOW, count: 2}
  - {pool: mine, seconds: 600, gpus: 8, at: 1800}
  - {pool: mine, seconds: 600, gpus: 16}
"""


def sim(capsys: pytest.CaptureFixture[str], path: Path, *flags: str) -> tuple[int, str, str]:
    code = run(["sim", str(path), *flags], {})
    said = capsys.readouterr()
    return code, said.out, said.err


def report(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, Any]:
    code, out, _ = sim(capsys, path, "-t", "json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_owner_waits_for_pods_to_leave_and_the_borrower_starts_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(TWO_POOLS)
    found = report(capsys, path)
    mine, yours = found["pools"]
    assert (mine["finished"], mine["gangs"], mine["wait_max_s"]) == (1, 2, 30)
    assert (yours["finished"], yours["preempted"], yours["lost_gpu_hours"]) == (2, 1, 4)
    assert (found["preemptions"], found["placements"], found["waiting"]) == (1, 4, 1)
    text = sim(capsys, path)[1]
    assert "1 preemptions" in text
    assert "1 gangs never had a place" in text


def test_the_same_file_gives_the_same_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(EXAMPLE.read_text().replace("tasks: 100000", "tasks: 2000"))
    first, second = report(capsys, path), report(capsys, path)
    del first["took_s"], second["took_s"]
    assert first == second
    assert sum(pool["tasks"] for pool in first["pools"]) == 2000


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("pools: {", "line 2, column 1"),
        ("pools: {", "(workload.yaml)"),
        ("pools: {p: {guarantee: many}}\nnodes: []", "$.pools[...].guarantee` (workload.invalid)"),
        ("pools: {}\nnodes: []\nnode: 1", "node"),
        ("- 1", "Expected `object`"),
        ("", "Expected `object`"),
        (
            "pools: {}\nnodes: []\narrivals: [{pool: p, seconds: 1}]",
            "no pool p. - at `$.pools` (workload.unknown_pool)",
        ),
        (
            "pools: {p: {}}\nnodes: []\narrivals: [{pool: p, seconds: 1, platform: x}]",
            "Pool p has no platform x. - at `$.pools.p.platforms` (workload.unknown_platform)",
        ),
        ("pools: {p: {}}\nnodes: [{count: 0}]", "$.nodes[0].count"),
        ("pools: {p: {}}\nnodes: [{count: 1, gpus: -8}]", "$.nodes[0].gpus"),
        ("pools: {p: {}}\nnodes: [{count: 1000000}, {count: 1000000}]", "`$.nodes` (workload.too_large)"),
        ("pools: {p: {}}\nnodes: []\narrivals: [{pool: p, seconds: .inf}]", "$.arrivals[0].seconds"),
        ("pools: {p: {}}\nnodes: []\narrivals: [{pool: p, seconds: .nan}]", "$.arrivals[0].seconds"),
        ("pools: {p: {}}\nnodes: []\narrivals: [{pool: p, seconds: 1, priority: URGENT}]", "$.arrivals[0].priority"),
        (
            "pools: {p: {}}\nnodes: []\narrivals: [{pool: p, seconds: 1, tasks: 9999, count: 9999}]",
            "`$.arrivals` (workload",
        ),
        ("pools: {p: {}}\nnodes: []\ngenerate: {tasks: 5, mix: []}", "$.generate.mix"),
        ("pools: {p: {}}\nnodes: []\ngenerate: {tasks: 5, mix: [{share: 0, pool: p, minutes: 1}]}", "mix[0].share"),
    ],
)
def test_a_file_that_is_no_workload_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, word: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    code, out, err = sim(capsys, path)
    assert code == 2
    assert word in out + err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = sim(capsys, tmp_path / "none.yaml")
    assert code == 2
    assert "No such file" in out + err


TASKS = (
    TaskPlan("train", "image", ("true",), resources=Resources(gpu=8, cpu=4)),
    TaskPlan("watch", "image", ("true",), resources=Resources(cpu=1)),
)
BEGINNING = datetime(2026, 11, 20, tzinfo=UTC)


def message(workflow_id: str, *events: WorkflowEvent) -> bytes:
    commit = json.loads(encode_commit(Commit("id", BEGINNING, "scheduler", list(events))))
    return json.dumps({"subject": f"osmo.workflow.0.{workflow_id}", "commit": commit}).encode() + b"\n"


def life(workflow_id: str, at_s: int, placed_s: int, seconds: int | None) -> list[bytes]:
    """Of a workflow with one group, as its messages tell."""
    plan = Plan("w", "mine", "b", (GroupPlan("g", TASKS),))
    at, placed = BEGINNING + timedelta(seconds=at_s), BEGINNING + timedelta(seconds=placed_s)
    queued = [WorkflowSubmitted(workflow_id, "uuid", "user", at, plan=plan), GroupQueued("g", at)]
    lines = [message(workflow_id, *queued), message(workflow_id, GroupPlaced("g", placed, "b", {}, {}))]
    if seconds is not None:
        ended = GroupFinished("g", TaskStatus.COMPLETED, placed + timedelta(seconds=seconds))
        lines.append(message(workflow_id, ended))
    return lines


def test_recorded_work_is_replayed_on_the_pools_and_nodes_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two at once on one node of eight GPUs: the second waits until the first has ended, however long it waited then."""
    path, log = tmp_path / "one.yaml", tmp_path / "log.jsonl"
    path.write_text("pools: {mine: {}}\nnodes: [{count: 1, gpus: 8}]\narrivals: [{pool: mine, seconds: 1}]")
    log.write_bytes(b"".join([*life("a", 0, 5, 600), *life("b", 0, 1000, 60), *life("c", 0, 2000, None)]))
    code, out, _ = sim(capsys, path, "--from-log", str(log), "-t", "json")
    found = json.loads(out)
    assert (code, found["left_out"], found["placements"]) == (0, 1, 2)
    (pool,) = found["pools"]
    assert (pool["gangs"], pool["tasks"], pool["finished"], pool["wait_max_s"]) == (2, 4, 2, 600)
    assert pool["gpu_hours"] == pytest.approx(8 * 660 / 3600)
    assert "1 recorded groups were left out" in sim(capsys, path, "--from-log", str(log))[1]


@pytest.mark.parametrize("line", [b"{", b"{}", b'{"subject": "s", "commit": 1}', b"\xff"])
def test_a_log_that_is_none_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: bytes
) -> None:
    path, log = tmp_path / "one.yaml", tmp_path / "log.jsonl"
    path.write_text("pools: {mine: {}}\nnodes: [{count: 1, gpus: 8}]")
    log.write_bytes(b"\n" + line + b"\n")
    code, out, err = sim(capsys, path, "--from-log", str(log))
    assert code == 2
    assert "line 2: " in out + err
    assert "(recording.invalid)" in out + err
