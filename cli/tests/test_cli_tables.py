"""Pools, resources, tasks and the profile, as tables."""

import json
from typing import Any

from osmo_cli.output import table
from osmo_cli.quantities import amounts, number

USAGE = {
    "quota_used": "96",
    "quota_free": "4",
    "quota_limit": "100",
    "total_usage": "96",
    "total_capacity": "200",
    "total_free": "104",
}
POOL = {"name": "example-pool", "description": "Join", "status": "ONLINE", "resource_usage": USAGE}


def test_a_table_has_one_line_under_its_header_and_one_over_its_sum() -> None:
    assert table(["A", "Bee"], [["x", None], ["long", 1]], total=["", 2]).splitlines() == [
        "A      Bee",
        "==========",
        "x      -",
        "long   1",
        "==========",
        "       2",
    ]


def test_pools_show_used_or_free(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/pool_quota", {"node_sets": [{"pools": [POOL, {**POOL, "name": "b"}]}], "resource_sum": USAGE})
    lines = osmo("pool", "list").out.splitlines()
    assert lines[0].split("   ")[-4:] == ["Quota Used", "Quota Limit", "Total Usage", "Total Capacity"]
    assert lines[2].split() == ["example-pool", "Join", "ONLINE", "96", "100", "96", "200"]
    assert lines[3].split() == ["b", "Join", "ONLINE", "96", "100", "96", "200", "(shared)"]
    assert lines[-1].split() == ["96", "100", "96", "200"]
    free = osmo("pool", "list", "-m", "free", "-p", "example-pool").out.splitlines()
    assert free[2].split() == ["example-pool", "Join", "ONLINE", "4", "104"]
    assert [each.query for each in api.requests] == [
        {"all_pools": ["True"]},
        {"pools": ["example-pool"], "all_pools": ["False"]},
    ]
    assert osmo("pool", "list", "-t", "json").out.startswith('{\n    "node_sets"')


def test_without_pools_the_list_says_so(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/pool_quota", {"node_sets": [], "resource_sum": USAGE})
    assert osmo("pool", "list").out == "There are no pools to view.\n"


NODE = {
    "hostname": "n1",
    "exposed_fields": {},
    "taints": [],
    "usage_fields": {"storage": "1Gi", "cpu": "1500m", "memory": "1048577Ki", "gpu": "9"},
    "allocatable_fields": {"storage": "107374182400", "cpu": "7", "memory": "33554432Ki", "gpu": "8"},
    "platform_allocatable_fields": None,
    "conditions": ["Ready"],
    "config_fields": None,
    "backend": "default",
    "pool_platform_labels": {"team": ["a100", "h100"], "other": ["a100"]},
    "resource_type": "SHARED",
}


def test_nodes_show_used_over_capacity_in_gibibytes(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/pool", {"pools": {"team": {}}})
    api.on("GET", "/api/resources", {"resources": [NODE]})
    lines = osmo("resource", "list", "-p", "team", "--platform", "a100").out.splitlines()
    assert lines[2].split() == ["n1", "team", "a100", "SHARED", "1/100", "2/7", "2/32", "8/8"]
    assert lines[-1].split() == ["1/100", "2/7", "2/32", "8/8"]
    assert api.requests[-1].query == {"pools": ["team"], "all_pools": ["False"], "platforms": ["a100"]}
    free = osmo("resource", "list", "-p", "team", "--platform", "a100", "-m", "free").out.splitlines()
    assert free[2].split()[-4:] == ["99", "5", "30", "0"]


def test_an_unknown_pool_is_refused_before_it_is_asked_for(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/pool", {"pools": {"team": {}}})
    ran = osmo("resource", "list", "-p", "tame")
    assert ran.code == 2
    assert "tame not found" in ran.out


def test_one_node(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/resources/n1", {"resources": [NODE]})
    ran = osmo("resource", "info", "n1", "-p", "team", "-pl", "h100")
    assert ran.code == 0
    assert ran.out.splitlines()[-1].split() == ["team", "h100", "1/100", "2/7", "2/32", "8/8"]


def test_quantities() -> None:
    assert [number(text) for text in ("500m", "2Ki", "1e3", 4, "x", "")] == [0.5, 2048, 1000, 4, 0, 0]
    assert amounts({"cpu": "1.5"}, round_up=True).cpu == 2
    assert amounts({"cpu": "1.5"}, round_up=False).cpu == 1


TASK = {
    "user": "ada",
    "workflow_id": "hello-1",
    "task_name": "a",
    "status": "RUNNING",
    "pool": "team",
    "priority": "NORMAL",
    "node": "n1",
    "start_time": "2026-11-20T11:22:00",
    "storage": 1.5,
    "cpu": 2,
    "memory": 4.0,
    "gpu": 0,
}


def test_tasks_that_live_are_listed(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/task", {"tasks": [TASK, TASK]})
    lines = osmo("task", "list", "-v").out.splitlines()
    assert lines[2].split()[-4:] == ["1.5", "2", "4", "0"]
    assert lines[-1].split() == ["3", "4", "8", "0"]
    assert api.requests[0].query == {
        "limit": ["20"],
        "offset": ["0"],
        "all_users": ["False"],
        "statuses": ["PROCESSING", "SCHEDULING", "INITIALIZING", "RUNNING"],
        "order": ["ASC"],
        "all_pools": ["True"],
    }


def test_tasks_are_summed_up(osmo: Any, api: Any) -> None:
    summary = {
        "user": "ada",
        "workflow_id": "w",
        "pool": "team",
        "priority": "LOW",
        "storage": 1,
        "cpu": 2,
        "memory": 3,
        "gpu": 4,
    }
    api.on("GET", "/api/task", {"summaries": [summary]})
    lines = osmo("task", "list", "-S", "-W", "--started-after", "2026-11-20").out.splitlines()
    assert lines[2].split() == ["ada", "w", "team", "LOW", "1", "2", "3", "4"]
    assert api.requests[0].query["started_after"] == ["2026-11-20T00:00:00"]
    assert api.requests[0].query["summary"] == ["True"]


def test_the_profile_is_shown_and_changed(osmo: Any, api: Any) -> None:
    profile = {"username": "a@x", "email_notification": True, "slack_notification": None, "pool": "team"}
    api.on("GET", "/api/profile/settings", {"profile": profile, "roles": ["user"], "pools": ["team"], "token": None})
    api.on("POST", "/api/profile/settings", None)
    out = osmo("profile", "list").out
    assert "  name: ada" in out
    assert "  default: team" in out
    assert osmo("profile", "set", "pool", "other").out == "Profile Set\n"
    assert osmo("profile", "set", "notifications", "slack", "false").code == 0
    assert [each.body for each in api.seen("POST", "/api/profile/settings")] == [
        {"pool": "other"},
        {"slack_notification": False},
    ]
    assert json.loads(osmo("profile", "list", "-t", "json").out)["roles"] == ["user"]


def test_a_filter_that_is_given_twice_counts_twice(osmo: Any, api: Any) -> None:
    api.on("GET", "/api/task", {"tasks": []})
    api.on("GET", "/api/workflow", {"workflows": [], "more_entries": False})
    twice = ("-p", "a", "-p", "b", "c", "-s", "RUNNING", "-s", "COMPLETED")
    for what in ("task", "workflow"):
        assert osmo(what, "list", *twice).code == 0
        assert api.requests[-1].query["pools"] == ["a", "b", "c"]
        assert api.requests[-1].query["statuses"] == ["RUNNING", "COMPLETED"]
    assert osmo("task", "list").code == 0
    assert "pools" not in api.requests[-1].query
    assert api.requests[-1].query["statuses"] == ["PROCESSING", "SCHEDULING", "INITIALIZING", "RUNNING"]
