"""`osmo workflow`: requests, output and exit codes, as the public CLI's."""

import json
from pathlib import Path
from typing import Any

import pytest

PLAIN = "workflow:\n  name: hello\n  tasks:\n    - name: a\n      image: x\n      command: [true]\n"
TEMPLATED = PLAIN.replace("hello", "{{ name }}") + "default-values:\n  name: hello\n"
SUBMIT = "/api/pool/team/workflow"
SUBMITTED = {
    "name": "hello-1",
    "overview": "http://x/workflows/hello-1",
    "logs": "http://x/api/workflow/hello-1/logs",
    "spec": None,
    "dashboard_url": None,
    "warnings": ["mind the gap"],
}
RENDERED = {"name": "hello", "overview": None, "logs": None, "spec": PLAIN, "dashboard_url": None, "warnings": []}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(PLAIN)
    return path


def refused(api: Any, **extra: Any) -> Any:
    return api.answer({"message": "no such image", "error_code": "USAGE", "workflow_id": "hello", **extra}, 400)


def test_a_plain_spec_is_submitted_in_one_request_as_it_was_written(osmo: Any, api: Any, spec: Path) -> None:
    api.on("POST", SUBMIT, SUBMITTED)
    api.on("GET", "/api/pool", {"pools": {"team": {"status": "ONLINE"}}})
    ran = osmo(
        "workflow", "submit", str(spec), "-p", "team", "--priority", "LOW", "--label", "a=b", "--set-env", "K=V=W"
    )
    assert ran.code == 0
    assert ran.out.splitlines()[:5] == [
        "Workflow submit successful.",
        "Workflow ID        - hello-1",
        "Workflow Overview  - http://x/workflows/hello-1",
        "WARNING: mind the gap",
        "WARNING: Priority is LOW: the workflow may be preempted when others need its resources.",
    ]
    assert "Workflow Pool      - team (ONLINE)" in ran.out
    assert "osmo workflow logs hello-1" in ran.out
    (request,) = api.seen("POST", SUBMIT)
    assert request.query == {"env_vars": ["K=V=W"], "priority": ["LOW"], "label": ["a=b"]}
    assert request.body == {
        "file": PLAIN,
        "set_variables": [],
        "set_string_variables": [],
        "uploaded_templated_spec": None,
    }


def test_requests_say_who_and_which_client(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow", {"workflows": [], "more_entries": False})
    osmo("workflow", "list")
    headers = api.requests[0].headers
    assert headers["x-osmo-user"] == "ada"
    assert headers["User-Agent"] == "osmo-cli/6.4.0"
    assert headers["x-osmo-client-version"] == "6.4.0"
    assert headers["Content-Type"] == "application/json"


def test_a_template_is_sent_as_it_was_written(osmo: Any, api: Any, spec: Path) -> None:
    spec.write_text(TEMPLATED)
    api.on("POST", SUBMIT, SUBMITTED)
    ran = osmo(
        "workflow", "submit", str(spec), "-p", "team", "--set", "a=1", "b=2", "--set-string", "c=3", "-t", "json"
    )
    assert ran.code == 0
    assert json.loads(ran.out) == SUBMITTED
    (request,) = api.seen("POST", SUBMIT)
    assert request.query == {}
    assert request.body == {
        "file": TEMPLATED,
        "set_variables": ["a=1", "b=2"],
        "set_string_variables": ["c=3"],
        "uploaded_templated_spec": None,
    }


LOCAL = "      files:\n        - {path: /tmp/a, localpath: run.sh}\n"


def test_a_template_with_local_files_is_rendered_by_the_server_first(osmo: Any, api: Any, spec: Path) -> None:
    template = TEMPLATED.replace("default-values", f"{LOCAL}default-values")
    spec.write_text(template)
    (spec.parent / "run.sh").write_text("echo hi\n")
    api.on("POST", SUBMIT, {**RENDERED, "spec": PLAIN + LOCAL}, SUBMITTED)
    assert osmo("workflow", "submit", str(spec), "-p", "team", "--set", "a=1").code == 0
    first, second = api.seen("POST", SUBMIT)
    assert first.query == {"dry_run": ["True"]}
    assert first.body["file"] == template
    assert first.body["uploaded_templated_spec"] is None
    assert second.query == {"dry_run": ["False"]}
    assert second.body == {
        "file": PLAIN + LOCAL.replace("localpath: run.sh", 'contents: "echo hi\\n"'),
        "set_variables": ["a=1"],
        "set_string_variables": [],
        "uploaded_templated_spec": template,
    }


def test_what_is_refused_in_a_rendered_text_is_shown_there(osmo: Any, api: Any, spec: Path) -> None:
    spec.write_text(TEMPLATED.replace("default-values", f"{LOCAL}default-values"))
    (spec.parent / "run.sh").write_text("echo hi\n")
    api.on("POST", SUBMIT, {**RENDERED, "spec": PLAIN + LOCAL}, refused(api, line=5, column=7))
    ran = osmo("workflow", "submit", str(spec), "-p", "team")
    assert f"  --> {spec} (rendered):5:7" in ran.out.splitlines()
    assert "  5 |       image: x" in ran.out.splitlines()


def test_a_dry_run_prints_the_rendered_spec_and_stops(osmo: Any, api: Any, spec: Path) -> None:
    api.on("POST", SUBMIT, RENDERED)
    ran = osmo("workflow", "submit", str(spec), "-p", "team", "--dry-run")
    assert (ran.code, ran.out) == (0, PLAIN)
    assert len(api.requests) == 1


def test_validation_of_a_template_is_one_request_unless_it_names_local_files(osmo: Any, api: Any, spec: Path) -> None:
    spec.write_text(TEMPLATED)
    validated = {"logs": "Workflow validation succeeded.", "warnings": ["w"]}
    api.on("POST", SUBMIT, validated)
    ran = osmo("workflow", "validate", str(spec), "-p", "team")
    assert (ran.code, ran.out) == (0, "Workflow validation succeeded.\nWARNING: w\n")
    assert [request.query for request in api.seen("POST", SUBMIT)] == [{"validation_only": ["True"]}]
    spec.write_text(TEMPLATED.replace("default-values", f"{LOCAL}default-values"))
    (spec.parent / "run.sh").write_text("echo hi\n")
    api.on("POST", SUBMIT, {**RENDERED, "spec": PLAIN + LOCAL}, validated)
    assert osmo("workflow", "validate", str(spec), "-p", "team").code == 0
    first, second = api.seen("POST", SUBMIT)[1:]
    assert first.query == {"validation_only": ["True"], "dry_run": ["True"]}
    assert second.query == {"validation_only": ["True"], "dry_run": ["False"]}
    assert second.body["uploaded_templated_spec"] is None


def test_local_files_are_put_in_place_without_moving_a_line(osmo: Any, api: Any, spec: Path) -> None:
    spec.write_text(
        PLAIN
        + "      files:\n        - path: /tmp/a\n          localpath: run.sh  # mine\n        - {localpath: run.sh, path: /b}\n"
        + "    - name: b\n"
    )
    (spec.parent / "run.sh").write_text('echo "größe: ä"\n')
    api.on("POST", SUBMIT, SUBMITTED)
    assert osmo("workflow", "submit", str(spec), "-p", "team").code == 0
    sent = api.seen("POST", SUBMIT)[0].body["file"]
    assert sent.count("\n") == spec.read_text().count("\n")
    from ruamel.yaml import YAML

    task = YAML(typ="safe", pure=True).load(sent)["workflow"]["tasks"][0]
    assert task["files"] == [
        {"path": "/tmp/a", "contents": 'echo "größe: ä"\n'},
        {"path": "/b", "contents": 'echo "größe: ä"\n'},
    ]


def test_a_missing_local_file_is_a_refused_submission(osmo: Any, api: Any, spec: Path) -> None:
    spec.write_text(PLAIN + "      files:\n        - path: /tmp/a\n          localpath: missing.sh\n")
    ran = osmo("workflow", "submit", str(spec), "-p", "team")
    assert ran.code == 1
    assert "missing.sh" in ran.out
    assert api.requests == []


def test_a_missing_spec_file_is_a_refused_submission(osmo: Any) -> None:
    ran = osmo("workflow", "submit", "nowhere.yaml", "-p", "team")
    assert ran.code == 1
    assert ran.out.startswith("Error message: There is no workflow file nowhere.yaml")
    assert ran.out.endswith("Error code: 1\n")


def test_an_id_in_place_of_a_file_submits_that_workflow_again(osmo: Any, api: Any) -> None:
    api.on("POST", SUBMIT, {**SUBMITTED, "name": "hello-2"})
    ran = osmo("workflow", "submit", "hello-1", "-p", "team", "--set-env", "A=b", "--label", "k=v", "--priority", "LOW")
    assert ran.code == 0
    assert "Workflow ID        - hello-2" in ran.out
    (request,) = api.seen("POST", SUBMIT)
    assert request.query == {"workflow_id": ["hello-1"], "env_vars": ["A=b"], "label": ["k=v"], "priority": ["LOW"]}
    assert request.body is None


def test_a_refusal_names_the_workflow_and_shows_the_line_at_fault(osmo: Any, api: Any, spec: Path) -> None:
    api.on("POST", SUBMIT, refused(api, line=5, column=7))
    ran = osmo("workflow", "submit", str(spec), "-p", "team")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "Error message: Workflow hello submit failed:",
        "no such image",
        f"  --> {spec}:5:7",
        "  5 |       image: x",
        "    |       ^",
        "Error code: 400",
    ]
    assert "status code 400" in ran.err


def test_errors_are_json_where_json_was_asked_for(osmo: Any, api: Any, spec: Path) -> None:
    api.on("POST", SUBMIT, refused(api))
    ran = osmo("workflow", "submit", str(spec), "-p", "team", "-t", "json")
    assert ran.code == 1
    assert json.loads(ran.out) == {"message": "Workflow hello submit failed:\nno such image", "code": 400}


def test_the_pool_is_that_of_the_profile(osmo: Any, api: Any, spec: Path) -> None:
    api.on("GET", "/api/profile/settings", {"profile": {"pool": "team"}})
    api.on("POST", SUBMIT, SUBMITTED)
    assert osmo("workflow", "submit", str(spec)).code == 0


def test_without_a_pool_in_the_profile_the_only_one_is_taken(osmo: Any, api: Any, spec: Path) -> None:
    api.on("GET", "/api/profile/settings", {"profile": {"pool": None}})
    api.on("GET", "/api/pool", {"pools": {"team": {"status": "ONLINE"}}})
    api.on("POST", SUBMIT, SUBMITTED)
    assert osmo("workflow", "submit", str(spec)).code == 0


def test_a_pool_that_cannot_be_guessed_must_be_named(osmo: Any, api: Any, spec: Path) -> None:
    api.on("GET", "/api/profile/settings", {"profile": {"pool": None}})
    api.on("GET", "/api/pool", {"pools": {"a": {}, "b": {}}})
    ran = osmo("workflow", "submit", str(spec))
    assert ran.code == 2
    assert ran.out.startswith("Error message: No default pool set")


LISTED = {
    "user": "ada",
    "name": "hello-1",
    "submit_time": "2026-11-20T11:22:00.123456",
    "status": "COMPLETED",
    "priority": "NORMAL",
    "labels": {"team": "x"},
    "overview": "http://x/1",
}


def test_the_list_is_a_table_oldest_first(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow", {"workflows": [{**LISTED, "name": "hello-2"}, LISTED], "more_entries": False})
    ran = osmo("workflow", "list", "-s", "COMPLETED", "FAILED", "-p", "team", "-a")
    header, rule, *rows = ran.out.splitlines()
    assert header.split() == ["User", "Workflow", "ID", "Submit", "Time", "Status", "Priority", "Labels", "Overview"]
    assert set(rule) == {"="}
    assert len(rule) == max(map(len, rows))
    assert [row.split()[1] for row in rows] == ["hello-1", "hello-2"]
    assert "Nov 20, 2026 11:22 UTC" in rows[0]
    assert "team=x" in rows[0]
    assert api.requests[0].query == {
        "order": ["DESC"],
        "statuses": ["COMPLETED", "FAILED"],
        "all_users": ["True"],
        "pools": ["team"],
        "limit": ["20"],
        "offset": ["0"],
    }


def test_the_list_turns_pages(osmo: Any, api: Any) -> None:
    page = {"workflows": [LISTED] * 1000, "more_entries": True}
    api.on("GET", "/api/workflow", page, {"workflows": [LISTED] * 5, "more_entries": False})
    ran = osmo("workflow", "list", "-c", "1200", "-t", "json", "-o", "desc")
    assert len(json.loads(ran.out)["workflows"]) == 1005
    assert [each.query["limit"] for each in api.requests] == [["1000"], ["200"]]
    assert [each.query["offset"] for each in api.requests] == [["0"], ["1000"]]


def test_an_empty_list_says_so(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow", {"workflows": [], "more_entries": False})
    assert osmo("workflow", "list").out == "There are no workflows to view.\n"


def test_a_query_shows_the_workflow_and_its_tasks(osmo: Any, api: Any) -> None:
    task = {"name": "a", "retry_id": 0, "start_time": None, "status": "FAILED", "failure_message": "exit code 3"}
    api.on(
        "GET",
        "/api/workflow/hello-1",
        {**LISTED, "submitted_by": "ada", "labels": {}, "groups": [{"tasks": [task]}]},
    )
    ran = osmo("workflow", "query", "hello-1")
    lines = ran.out.splitlines()
    assert set(lines[0]) == {"-"}
    assert lines[1:7] == [
        "Workflow ID : hello-1",
        "Status      : COMPLETED",
        "User        : ada",
        "Submit Time : Nov 20, 2026 11:22 UTC",
        "Labels      : -",
        "Overview    : http://x/1",
    ]
    assert lines[8].split() == ["Task", "Name", "Start", "Time", "Status"]
    assert lines[10].split() == ["a", "-", "FAILED"]
    assert "a: exit code 3" in lines
    assert api.requests[0].query == {"verbose": ["False"]}
    assert "Retry ID" in osmo("workflow", "query", "hello-1", "-v").out


def test_logs_are_copied_under_their_headline(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow/hello-1/logs", b"2026/11/20 11:22:00 [a] hi\nno newline")
    ran = osmo("workflow", "logs", "hello-1", "-t", "a", "-r", "0", "-n", "5")
    assert (ran.code, ran.out) == (0, "Workflow hello-1 has logs:\n2026/11/20 11:22:00 [a] hi\nno newline\n")
    assert api.requests[0].query == {"last_n_lines": ["5"], "task_name": ["a"]}


def test_logs_that_break_off_are_said_and_are_no_failure(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow/hello-1/logs", api.answer(b"one\n", cut=True))
    ran = osmo("workflow", "logs", "hello-1")
    assert ran.code == 0
    assert ran.out.startswith("Workflow hello-1 has logs:\none\n")
    assert "osmo workflow logs hello-1" in ran.err


@pytest.mark.parametrize("flag", [["--error"], ["-r", "1"]])
def test_error_logs_and_attempts_need_a_task(osmo: Any, flag: list[str]) -> None:
    assert osmo("workflow", "logs", "hello-1", *flag).code == 2


def test_events_and_specs_are_copied(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow/hello-1/events", b"now [a] Started: yes\n")
    api.on("GET", "/api/workflow/hello-1/spec", PLAIN.encode())
    assert osmo("workflow", "events", "hello-1").out == "Workflow hello-1 has events:\nnow [a] Started: yes\n"
    assert osmo("workflow", "spec", "hello-1", "--template").out == PLAIN
    assert api.requests[-1].query == {"use_template": ["True"]}


def test_one_that_cannot_be_cancelled_does_not_stop_the_others(osmo: Any, api: Any) -> None:
    finished = {"message": "has finished", "error_code": "USER", "workflow_id": None}
    api.on("POST", "/api/workflow/a-1/cancel", api.answer(finished, 400))
    api.on("POST", "/api/workflow/b-1/cancel", {"name": "b-1"})
    ran = osmo("workflow", "cancel", "a-1", "b-1", "-m", "enough", "-f")
    assert ran.code == 0
    assert "a-1 was not cancelled: has finished" in ran.out
    assert ran.out.endswith("Cancel job for workflow b-1 is submitted!\n")
    assert api.requests[-1].query == {"force": ["True"], "message": ["enough"]}


def test_a_restart_goes_to_the_pool_where_it_ran(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow/hello-1", {"pool": "team"})
    api.on("POST", "/api/pool/team/workflow/hello-1/restart", {**SUBMITTED, "name": "hello-2"})
    ran = osmo("workflow", "restart", "hello-1")
    assert ran.code == 0
    assert ran.out.splitlines()[:2] == ["Workflow hello-1 restarted.", "Workflow ID        - hello-2"]


WHY = {
    "name": "train-3",
    "status": "PENDING",
    "groups": [
        {
            "name": "train",
            "status": "PROCESSING",
            "reason": {
                "code": "quota",
                "message": "Asks for 10 GPUs; 96 of the 100 of pool team are used.",
                "ahead": {"position": 2, "length": 3, "head_workflow_id": "big-1", "head_group": "all"},
                "free": [{"platform": "gpu", "nodes": 25, "free_gpus": 104, "most_gpus": 8, "gang": 13}],
                "quota": {
                    "pool": "team",
                    "used": 96,
                    "limit": 100,
                    "asked": 10,
                    "holders": [{"workflow_id": "long-1", "group": "a", "gpus": 96, "user": "ann", "priority": "HIGH"}],
                },
                "changes": [{"kind": "priority", "value": "LOW", "message": "with priority LOW"}],
            },
        },
        {"name": "more", "status": "PROCESSING", "reason": {"code": "capacity", "message": "Full."}},
    ],
}


def test_why_tells_the_reason_the_numbers_and_what_would_help(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow/train-3/why", WHY)
    ran = osmo("workflow", "why", "train-3")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "Workflow train-3 is PENDING. What waits:",
        "",
        "train (quota)",
        "  Asks for 10 GPUs; 96 of the 100 of pool team are used.",
        "  In line:  number 2 of 3 in its pool; the first is big-1 (all)",
        "  Free now: platform gpu, 104 GPUs on 25 nodes, at most 8 on one; such tasks that fit together: 13",
        "  Held by:  long-1 (a), ann, 96 GPUs, HIGH",
        "  Submitted again like this it would start now:",
        "    - with priority LOW",
        "",
        "more (capacity)",
        "  Full.",
        "  No single change (fewer GPUs, priority, platform, pool) would start it now.",
    ]
    assert json.loads(osmo("workflow", "why", "train-3", "-t", "json").out) == WHY


def test_why_says_that_nothing_waits(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow/w-1/why", {"name": "w-1", "status": "RUNNING", "groups": []})
    assert osmo("workflow", "why", "w-1").out == "Workflow w-1 is RUNNING: nothing of it waits.\n"


def test_query_says_in_one_line_why_each_group_waits(osmo: Any, api: Any) -> None:
    task = {"name": "a", "retry_id": 0, "status": "PROCESSING", "start_time": None, "failure_message": None}
    waiting = {"name": "train", "tasks": [task], "pending_reason": {"code": "capacity", "message": "Full."}}
    found = {
        "name": "w-1",
        "status": "PENDING",
        "submitted_by": "ann",
        "submit_time": "2026-11-20T11:00:01",
        "labels": {},
        "overview": "http://x",
        "groups": [waiting, {"name": "other", "tasks": [], "status": "RUNNING"}],
    }
    api.on("GET", "/api/workflow/w-1", found)
    assert osmo("workflow", "query", "w-1").out.splitlines()[-3:] == [
        "",
        "train waits: Full.",
        "More, and what would start it: osmo workflow why w-1",
    ]
