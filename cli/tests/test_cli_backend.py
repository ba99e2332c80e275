"""`osmo backend`: what is sent, what is said, and what is written to files."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

TOKEN = "osmo_c1_" + "ab" * 32
REGISTERED = {"backend": "c1", "token_id": "abc", "token": TOKEN, "manifest": f"kind: Secret\ntoken: {TOKEN}\n"}


def entry(name: str = "c1", **more: Any) -> dict[str, Any]:
    plain = {
        "name": name, "description": "", "status": "ONLINE", "last_heartbeat": "2026-11-20T11:00:00", "version": "0.1.0", "skew": "same",
        "warning": None, "cluster_uid": "uid-1", "runtime": "kubernetes", "capabilities": [], "nodes": 3, "gpus": 24, "pools": ["lab"],
        "tokens": [],
    }  # fmt: skip
    return {**plain, **more}


@pytest.fixture
def takes(api: Any) -> Any:
    api.on("POST", "/api/backend/c1", REGISTERED)
    return api


def test_register_shows_the_token_once_and_writes_a_file_for_its_owner_only(
    osmo: Any, takes: Any, tmp_path: Path
) -> None:
    flags = ("--description", "the lab", "--nats-url", "wss://n", "--namespace", "gpu")
    ran = osmo("backend", "register", "c1", *flags)
    assert ran.code == 0, ran.out
    assert ran.out.count(TOKEN) == 1
    assert "kubectl apply -f osmo-agent-c1.yaml" in ran.out
    file = tmp_path / "osmo-agent-c1.yaml"
    assert file.read_text() == REGISTERED["manifest"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (seen,) = takes.seen("POST", "/api/backend/c1")
    assert seen.body == {"description": "the lab", "nats_url": "wss://n", "namespace": "gpu"}


def test_register_asks_for_nothing_where_the_file_cannot_be_written(osmo: Any, takes: Any, tmp_path: Path) -> None:
    (tmp_path / "there.yaml").write_text("mine")
    for out in ("there.yaml", "no/such/directory.yaml"):
        ran = osmo("backend", "register", "c1", "--out", out)
        assert ran.code == 2
        assert out.split("/")[0] in ran.out
    assert not takes.requests
    assert osmo("backend", "register", "c1", "--out", "there.yaml", "--force").code == 0
    assert (tmp_path / "there.yaml").read_text() == REGISTERED["manifest"]


def test_register_as_json_writes_a_file_only_where_asked_for(osmo: Any, takes: Any, tmp_path: Path) -> None:
    assert json.loads(osmo("backend", "register", "c1", "-t", "json").out) == REGISTERED
    assert not (tmp_path / "osmo-agent-c1.yaml").exists()


def test_a_refusal_is_said(osmo: Any, api: Any) -> None:
    refusal = {"message": "Backend c1 is registered already.", "error_code": "USER", "code": "backend.exists"}
    api.on("POST", "/api/backend/c1", api.answer(refusal, 409))
    ran = osmo("backend", "register", "c1")
    assert ran.code == 2
    assert "registered already" in ran.out


def test_list_is_a_table_with_a_warning_below(osmo: Any, api: Any) -> None:
    far = entry("c2", status="OFFLINE", version="0.9.0", skew="far", warning="it is old", pools=[], last_heartbeat=None)
    never = entry("c3", status="OFFLINE", version="", skew="", cluster_uid="", nodes=0, gpus=0, last_heartbeat=None)
    api.on("GET", "/api/backend", {"backends": [entry(), far, never]})
    lines = osmo("backend", "list").out.splitlines()
    assert lines[0].split() == [
        "Backend",
        "Status",
        "Version",
        "Nodes",
        "GPUs",
        "Pools",
        "Cluster",
        "UID",
        "Last",
        "Heartbeat",
    ]
    assert lines[2].split()[:6] == ["c1", "ONLINE", "0.1.0", "3", "24", "lab"]
    assert lines[3].split()[:7] == ["c2", "OFFLINE", "0.9.0", "(far)", "3", "24", "-"]
    assert lines[4].split()[:3] == ["c3", "OFFLINE", "-"]
    assert lines[-1] == "c2: it is old."
    assert json.loads(osmo("backend", "list", "--format-type", "json").out)["backends"][1]["skew"] == "far"
    api.on("GET", "/api/backend", {"backends": []})
    assert "osmo backend register" in osmo("backend", "list").out


def test_show_tells_of_the_tokens_and_not_what_they_are(osmo: Any, api: Any) -> None:
    token = {"token_id": "abc", "issued_at": "2026-11-20T11:00:00", "issued_by": "ann", "status": "RETIRING",
             "ends_at": "2026-11-20T12:00:00", "revoked_at": None}  # fmt: skip
    api.on("GET", "/api/backend/c1", entry(tokens=[token], warning="too far"))
    out = osmo("backend", "show", "c1").out
    for part in ("Status:         ONLINE", "GPUs:           24", "Warning:        too far", "abc", "RETIRING", "ann"):
        assert part in out


def test_rotate_sends_the_grace_and_can_keep_the_token_off_the_screen(osmo: Any, api: Any, tmp_path: Path) -> None:
    found = {"backend": "c1", "token_id": "def", "token": TOKEN, "previous_end_at": "2026-11-20T12:00:00"}
    api.on("POST", "/api/backend/c1/token", found)
    assert TOKEN in osmo("backend", "rotate-token", "c1").out
    ran = osmo("backend", "rotate-token", "c1", "--grace", "2d", "--out", "token")
    assert ran.code == 0
    assert TOKEN not in ran.out
    assert (tmp_path / "token").read_text() == TOKEN
    assert [each.body for each in api.seen("POST", "/api/backend/c1/token")] == [
        {"grace_s": 3600},
        {"grace_s": 172_800},
    ]
    assert osmo("backend", "rotate-token", "c1", "--grace", "soon").code == 2


def test_revoke_asks_first(osmo: Any, api: Any) -> None:
    api.on("DELETE", "/api/backend/c1/token", {"backend": "c1", "revoked": ["abc"], "disconnected": 1})
    api.on("DELETE", "/api/backend/c1/token/abc", {"backend": "c1", "revoked": [], "disconnected": 0})
    assert osmo("backend", "revoke", "c1").code == 0
    assert not api.requests
    assert osmo("backend", "revoke", "c1", "-f").out == "Revoked abc of backend c1; 1 connection ended.\n"
    assert "no token" in osmo("backend", "revoke", "c1", "abc", "-f").out


def test_delete_says_force_or_not(osmo: Any, api: Any) -> None:
    api.on("DELETE", "/api/backend/c1", None)
    assert osmo("backend", "delete", "c1").out == "Backend c1 is deleted.\n"
    assert json.loads(osmo("backend", "delete", "c1", "--force", "-t", "json").out) == {
        "backend": "c1",
        "deleted": True,
    }
    assert [each.body for each in api.seen("DELETE", "/api/backend/c1")] == [{"force": False}, {"force": True}]
