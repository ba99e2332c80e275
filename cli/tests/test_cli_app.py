"""`osmo app`: requests, output and exit codes, as the public CLI's."""

import json
from pathlib import Path
from typing import Any

import pytest

SPEC = "workflow:\n  name: '{{ n }}'\n  tasks: []\ndefault-values:\n  n: hello\n  sizes: [1, 2]\n"
APP = "/api/app/user/train"
VERSION = {"version": 2, "created_by": "bob", "created_date": "2026-11-20T11:00:00", "status": "READY"}
INFO = {
    "uuid": "u" * 32,
    "name": "train",
    "description": "Trains.",
    "created_date": "2026-11-20T11:00:00",
    "owner": "ann",
    "versions": [VERSION],
}
SUBMIT = "/api/pool/team/workflow"
SUBMITTED = {"name": "hello-1", "overview": "http://x/1", "spec": None, "warnings": []}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes $EDITOR a program that runs these shell lines with the file as $1."""

    def write(lines: str) -> None:
        path = tmp_path / "editor"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"{path} --wait")

    return write


def test_an_app_is_created_from_a_file(osmo: Any, api: Any, file: Path) -> None:
    api.on("POST", APP, None)
    ran = osmo("app", "create", "train", "-d", "Trains.", "-f", str(file))
    assert (ran.code, ran.out) == (0, "App train created successfully\n")
    (request,) = api.seen("POST", APP)
    assert (request.query, request.body) == ({"description": ["Trains."]}, SPEC)


def test_without_a_file_the_editor_is_opened(osmo: Any, api: Any, editor: Any) -> None:
    editor('test "$1" = --wait && sed -i s/my-workflow/mine/ "$2"')
    api.on("POST", APP, None)
    assert osmo("app", "create", "train", "-d", "Trains.").code == 0
    assert "name: mine" in api.seen("POST", APP)[0].body


@pytest.mark.parametrize(("lines", "said"), [("true", "left as it was"), ("exit 3", "exit code 3")])
def test_an_editor_that_changes_nothing_sends_nothing(osmo: Any, api: Any, editor: Any, lines: str, said: str) -> None:
    editor(lines)
    ran = osmo("app", "create", "train", "-d", "Trains.")
    assert ran.code == 2
    assert said in ran.out
    assert api.requests == []


def test_what_was_written_is_kept_when_it_is_refused(osmo: Any, api: Any, editor: Any, tmp_path: Path) -> None:
    editor("echo '# mine' >> $2")
    api.on("POST", APP, api.answer({"message": "no", "error_code": "USER"}, 400))
    ran = osmo("app", "create", "train", "-d", "Trains.")
    assert ran.code == 2
    assert "What you wrote is kept in train.yaml." in ran.out
    assert (tmp_path / "train.yaml").read_text().endswith("# mine\n")


def test_an_update_edits_an_earlier_version(osmo: Any, api: Any, editor: Any) -> None:
    editor("echo '# more' >> $2")
    api.on("GET", f"{APP}/spec", SPEC.encode())
    api.on("PATCH", APP, {"uuid": "u", "version": 3, "name": "train", "created_by": "ada", "created_date": "x"})
    ran = osmo("app", "update", "train:1")
    assert (ran.code, ran.out) == (0, "App train updated successfully\nVersion: 3\n")
    assert api.seen("GET", f"{APP}/spec")[0].query == {"version": ["1"]}
    assert api.seen("PATCH", APP)[0].body == SPEC + "# more\n"


def test_an_update_that_changes_nothing_sends_nothing(osmo: Any, api: Any, file: Path) -> None:
    api.on("GET", f"{APP}/spec", SPEC.encode())
    assert osmo("app", "update", "train", "-f", str(file)).code == 0
    assert api.seen("PATCH", APP) == []


def test_info_and_spec_and_show(osmo: Any, api: Any) -> None:
    api.on("GET", APP, INFO)
    api.on("GET", f"{APP}/spec", SPEC.encode())
    lines = osmo("app", "info", "train").out.splitlines()
    assert lines[0] == "Name         : train"
    assert lines[-1].split() == ["2", "bob", "Nov", "20,", "2026", "11:00", "UTC", "READY"]
    assert api.requests[-1].query == {"order": ["ASC"], "limit": ["20"]}
    assert json.loads(osmo("app", "info", "train:2", "-t", "json").out) == INFO
    assert api.requests[-1].query == {"order": ["ASC"], "limit": ["20"], "version": ["2"]}
    assert osmo("app", "spec", "train").out == SPEC
    assert osmo("app", "show", "train").out.splitlines() == [
        "DESCRIPTION",
        "  Trains.",
        "",
        "PARAMETERS",
        "  n: hello",
        "  sizes: [1, 2]",
    ]


def test_the_list(osmo: Any, api: Any) -> None:
    entry = {key: INFO[key] for key in ("uuid", "name", "description", "created_date", "owner")} | {"latest_version": 2}
    api.on("GET", "/api/app", {"apps": [entry], "more_entries": False})
    ran = osmo("app", "list", "-a", "-n", "tr")
    assert ran.out.splitlines()[-1].split()[:3] == ["ann", "train", "Trains."]
    assert api.requests[-1].query == {
        "order": ["DESC"],
        "name": ["tr"],
        "all_users": ["True"],
        "limit": ["20"],
        "offset": ["0"],
    }
    assert json.loads(osmo("app", "list", "-t", "json").out) == {"apps": [entry]}
    api.on("GET", "/api/app", {"apps": [], "more_entries": False})
    assert osmo("app", "list").out == "There are no apps to view.\n"


def test_a_deletion_is_asked_about_unless_forced(osmo: Any, api: Any) -> None:
    api.on("DELETE", APP, {"versions": [2]})
    assert osmo("app", "delete", "train").code == 2
    assert osmo("app", "delete", "train:2", "--all").code == 2
    ran = osmo("app", "delete", "train:2")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "Delete version 2 of app train? [y/n]: Nothing was changed.")
    assert api.seen("DELETE", APP) == []
    ran = osmo("app", "delete", "train:2", "-f")
    assert (ran.code, ran.out) == (0, "Version 2 of app train is deleted.\n")
    assert api.seen("DELETE", APP)[0].query == {"version": ["2"]}
    osmo("app", "delete", "train", "--all", "-f")
    assert api.seen("DELETE", APP)[1].query == {"all_versions": ["True"]}


def test_a_renaming(osmo: Any, api: Any) -> None:
    api.on("POST", f"{APP}/rename", "training")
    ran = osmo("app", "rename", "train", "training", "-f")
    assert (ran.code, ran.out) == (0, "App train is now called training.\n")
    assert api.requests[-1].body == "training"


def test_an_app_is_submitted_as_it_is_written(osmo: Any, api: Any, tmp_path: Path) -> None:
    api.on("GET", APP, INFO)
    api.on("GET", f"{APP}/spec", SPEC.encode())
    api.on("POST", SUBMIT, SUBMITTED)
    ran = osmo("app", "submit", "train", "-p", "team", "--set", "n=x", "--set-env", "A=b", "--label", "k=v")
    assert ran.code == 0
    assert "Workflow ID        - hello-1" in ran.out
    assert api.seen("GET", APP)[0].query == {"limit": ["1"]}
    (request,) = api.seen("POST", SUBMIT)
    assert request.query == {
        "env_vars": ["A=b"],
        "label": ["k=v"],
        "app_uuid": ["u" * 32],
        "app_version": ["2"],
    }
    assert (request.body["file"], request.body["set_variables"]) == (SPEC, ["n=x"])


def test_local_files_of_an_app_are_looked_for_where_one_says(osmo: Any, api: Any, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "run.sh").write_text("echo hi\n")
    text = "workflow:\n  name: w\n  tasks:\n  - name: a\n    files:\n    - {path: /a, localpath: run.sh}\n"
    api.on("GET", APP, INFO)
    api.on("GET", f"{APP}/spec", text.encode())
    api.on("POST", SUBMIT, SUBMITTED)
    assert osmo("app", "submit", "train", "-p", "team").code == 1
    assert osmo("app", "submit", "train", "-p", "team", "-l", "nowhere").code == 1
    for where in ("here", "here/run.sh"):
        assert osmo("app", "submit", "train:2", "-p", "team", "-l", where).code == 0
        assert 'contents: "echo hi\\n"' in api.seen("POST", SUBMIT)[-1].body["file"]


@pytest.mark.parametrize("argument", ["a b", "train:x", "train:1:2", ""])
def test_what_is_no_app_is_a_usage_error(osmo: Any, argument: str) -> None:
    assert osmo("app", "info", argument).code == 2


@pytest.mark.parametrize(
    "argv",
    [
        ["exec", "w-1", "task", "--", "bash"],
        ["exec", "w-1", "--group", "g", "--entry", "ls -la"],
        ["port-forward", "w-1", "task", "--port", "8000"],
        ["rsync", "upload", "w-1", "a:b"],
        ["workflow", "exec", "w-1", "task", "--entry", "/bin/sh"],
        ["workflow", "rsync", "download", "w-1", "task", "a:b"],
    ],
)
def test_what_is_not_there_yet_says_so(osmo: Any, argv: list[str]) -> None:
    ran = osmo(*argv)
    assert ran.code == 2
    command = " ".join(argv[: 2 if argv[0] == "workflow" else 1])
    assert ran.out.startswith(f"Error message: `osmo {command}` is not part of this release yet.")
