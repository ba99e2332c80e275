"""`osmo sim`: a workload file in, waiting times out; and what is wrong with a file that is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from osmo_cli.__main__ import run

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
        ("pools: {p: {guarantee: many}}\nnodes: []", "$.pools[...].guarantee"),
        ("pools: {}\nnodes: []\nnode: 1", "node"),
        ("pools: {}\nnodes: []\narrivals: [{pool: p, seconds: 1}]", "no pool p"),
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
