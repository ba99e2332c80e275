"""`osmo explain`: offline, from the tables of the spec."""

import json
from typing import Any


def test_a_key_is_explained_without_a_server(nobody: Any) -> None:
    ran = nobody("explain", "workflow.tasks.checkpoint")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "workflow.tasks[].checkpoint[]"
    assert lines[1] == "  Directories that are saved while it runs."
    assert any(line.startswith("    frequency  ") and line.endswith("(required)") for line in lines)
    assert lines[-1] == "  More: osmo explain workflow.tasks.checkpoint.path"


def test_alone_it_tells_of_the_whole_file(nobody: Any) -> None:
    out = nobody("explain").out
    assert [word in out for word in ("workflow", "default-values", "version")] == [True] * 3


def test_what_it_says_can_be_json(nobody: Any) -> None:
    topic = json.loads(nobody("explain", "workflow.timeout", "-t", "json").out)
    assert topic["path"] == "workflow.timeout"
    assert [key["name"] for key in topic["keys"]] == ["exec_timeout", "queue_timeout"]


def test_a_wrong_path_is_answered_with_a_right_one(nobody: Any) -> None:
    ran = nobody("explain", "workflow.tasks.comand")
    assert ran.code == 2
    assert "Did you mean `workflow.tasks.command`" in ran.out
