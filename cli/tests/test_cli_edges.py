"""Logins, errors and exit codes: what every command shares."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from osmo_cli.statuses import PRIORITIES, TASK_STATUSES, WORKFLOW_STATUSES
from osmo_domain.pool import Priority
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus

VERSION = {"major": "6", "minor": "4", "revision": "0", "hash": ""}


def jwt(expires_in_s: float, **claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + expires_in_s, **claims}).encode()).decode()
    return f"e30.{body.rstrip('=')}.x"


def test_the_statuses_of_filters_are_the_domains() -> None:
    assert set(WORKFLOW_STATUSES) == set(WorkflowStatus)
    assert set(TASK_STATUSES) == set(TaskStatus)
    assert set(PRIORITIES) == set(Priority)


def test_no_command_shows_the_help(nobody: Any) -> None:
    ran = nobody()
    assert ran.code == 0
    assert "workflow" in ran.out
    assert nobody("workflow").code == 0


def test_an_unknown_command_is_a_usage_error(nobody: Any) -> None:
    assert nobody("fly").code == 2
    assert nobody("workflow", "list", "-c", "0").code == 2


def test_a_dev_login_is_stored_for_its_owner_only(nobody: Any, config: Path) -> None:
    ran = nobody("login", "http://127.0.0.1:9/", "--method", "dev", "--username", "ada")
    assert ran.out == "Logging in to http://127.0.0.1:9\nSuccessfully logged in. Welcome ada.\n"
    path = config / "login.yaml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {
        "url": "http://127.0.0.1:9",
        "osmo_token": False,
        "token_login": None,
        "dev_login": {"username": "ada"},
        "name": "ada",
    }
    assert nobody("logout").out == "Successfully logged out.\n"
    assert not path.exists()


def test_the_public_clis_login_file_is_read(nobody: Any, api: Any, config: Path) -> None:
    config.mkdir()
    (config / "login.yaml").write_text(
        f"dev_login:\n  username: bob\nname: bob\nosmo_token: false\ntoken_login: null\nurl: {api.url}\n"
    )
    api.on("GET", "/api/workflow", {"workflows": [], "more_entries": False})
    assert nobody("workflow", "list").code == 0
    assert api.requests[0].headers["x-osmo-user"] == "bob"


def test_a_broken_login_file_is_named(nobody: Any, config: Path) -> None:
    config.mkdir()
    (config / "login.yaml").write_text("url: [")
    ran = nobody("workflow", "list")
    assert ran.code == 2
    assert "login.yaml" in ran.out


def test_a_token_login_is_exchanged_and_renewed(nobody: Any, api: Any, config: Path) -> None:
    path = "/api/auth/jwt/access_token"
    api.on("POST", path, {"token": jwt(1, name="Ada")}, {"token": jwt(300)})
    api.on("GET", "/api/workflow", {"workflows": [], "more_entries": False})
    ran = nobody("login", api.url, "--method", "token", "--token", "t" * 43)
    assert ran.out.endswith("Welcome Ada.\n")
    assert nobody("workflow", "list").code == 0
    assert nobody("workflow", "list").code == 0
    assert [each.body for each in api.seen("POST", path)] == [{"token": "t" * 43}] * 2
    stored = json.loads((config / "login.yaml").read_text())["token_login"]["id_token"]
    assert api.requests[-1].headers["Authorization"] == f"Bearer {stored}"


def test_a_refused_token_ends_with_10(nobody: Any, api: Any) -> None:
    api.on("POST", "/api/auth/jwt/access_token", api.answer({"message": "no"}, 400))
    assert nobody("login", api.url, "--method", "token", "--token", "x").code == 10


@pytest.mark.parametrize("method", ["pkce", "code", "password"])
def test_a_server_without_an_identity_provider_says_how_to_log_in(nobody: Any, api: Any, method: str) -> None:
    api.on("GET", "/api/auth/login", {"device_endpoint": None, "browser_endpoint": None, "token_endpoint": None})
    ran = nobody("login", api.url, "--method", method)
    assert ran.code == 2
    assert f"osmo login {api.url} --method dev" in ran.out


def test_a_dev_login_needs_a_name_and_a_url(nobody: Any) -> None:
    assert nobody("login", "http://x", "--method", "dev").code == 2
    assert nobody("login", "ftp://x", "--method", "dev", "--username", "a").code == 2
    assert nobody("login", "--method", "dev", "--username", "a").code == 2


def test_a_server_that_is_down_ends_with_10(nobody: Any) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        nobody("login", url, "--method", "dev", "--username", "ada")
        ran = nobody("workflow", "list")
    assert ran.code == 10
    assert f"Cannot reach the server at {url}" in ran.out
    assert "osmo up" in ran.out


def test_a_server_that_fails_ends_with_10(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow", api.answer({"message": "Internal server error: oh"}, 500))
    ran = osmo("workflow", "list")
    assert ran.code == 10
    assert ran.out == "Error message: Server error 500: Internal server error: oh\nError code: 500\n"


def test_an_answer_that_is_no_json_ends_with_10(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/workflow", b"<html>")
    assert osmo("workflow", "list").code == 10


def test_too_many_requests_are_retried_and_end_with_75(osmo: Any, api: Any) -> None:
    busy = {"message": "slow down", "error_code": "USER"}
    api.on("GET", "/api/workflow", api.answer(busy, 429, headers={"Retry-After": "0"}))
    ran = osmo("workflow", "list")
    assert ran.code == 75
    assert ran.out.endswith("Error code: 429\n")
    assert len(api.requests) == 5


@pytest.mark.parametrize(
    ("error_code", "exit_code"), [("USER", 2), ("USAGE", 1), ("RESOURCE", 1), ("CREDENTIAL", 2), ("DATABASE", 2)]
)
def test_refusals_end_as_their_class_says(osmo: Any, api: Any, error_code: str, exit_code: int) -> None:
    api.on("GET", "/api/workflow/x-1", api.answer({"message": "no", "error_code": error_code}, 400))
    ran = osmo("workflow", "query", "x-1")
    assert (ran.code, ran.out) == (exit_code, "Error message: no\nError code: 400\n")


def test_an_unclassed_refusal_shows_what_the_server_said(osmo: Any, api: Any) -> None:
    ran = osmo("workflow", "query", "x-1")
    assert (ran.code, ran.out) == (2, 'Error message: {"detail": "Not Found"}\nError code: 404\n')


def test_warnings_of_the_server_are_shown_on_stderr(osmo: Any, api: Any) -> None:
    warning = base64.b64encode("your client is old, grüße".encode()).decode()
    found = api.answer({"workflows": [], "more_entries": False}, headers={"x-osmo-warning": warning})
    api.on("GET", "/api/workflow", found)
    ran = osmo("workflow", "list")
    assert ran.code == 0
    assert ran.err == "your client is old, grüße\n"


def test_the_version_of_both_sides(osmo: Any, nobody: Any, api: Any) -> None:
    api.on("GET", "/api/version", VERSION)
    assert osmo("version").out == "OSMO client version:  6.4.0\nOSMO service version: 6.4.0\n"
    assert "x-osmo-client-version" not in api.requests[0].headers
    assert json.loads(osmo("version", "-t", "json").out) == {"client": VERSION, "service": VERSION}


def test_a_reader_that_has_enough_ends_us_quietly(osmo: Any, api: Any, config: Path) -> None:
    api.on("GET", "/api/workflow/x-1/logs", b"line\n" * 200_000)
    environ = {**os.environ, "OSMO_CONFIG_FILE_DIR": str(config)}
    command = f"{sys.executable} -m osmo_cli workflow logs x-1 | head -1"
    ran = subprocess.run(["sh", "-c", command], env=environ, capture_output=True, text=True, check=False)
    assert ran.stdout == "Workflow x-1 has logs:\n"
    assert ran.stderr == ""


@pytest.mark.parametrize(
    "argv",
    [["--help"], ["workflow", "list", "--help"], ["up", "--help"]],
)
def test_heavy_modules_stay_out_of_light_commands(argv: list[str]) -> None:
    """`osmo --help` has 80 ms, `workflow list` 150: none of these fits in."""
    script = (
        "import sys; from osmo_cli.__main__ import run\n"
        "try: run(sys.argv[1:], {})\nexcept SystemExit: pass\n"
        "heavy = {'aiohttp', 'ruamel', 'asyncio', 'msgspec', 'nats', 'uvloop', 'ctypes'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", script, *argv], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
