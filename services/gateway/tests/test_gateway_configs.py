"""Config objects over HTTP: what is written is read, worked out, remembered, or refused with the reason."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from services.gateway.tests.gateway_house import House, open_house, submitted

Answer = tuple[int, Any]

TEMPLATE = {
    "spec": {
        "nodeSelector": {"kind": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [
            {"name": "{{USER_CONTAINER_NAME}}", "volumeMounts": [{"name": "d", "mountPath": "/datasets"}]},
            {"name": "osmo-ctrl", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
        ],
    }
}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


async def call(house: House, method: str, path: str, body: Any = None, **query: Any) -> Answer:
    async with house.session.request(
        method, f"/api/configs/{path}", json=body, params=query, headers={"x-osmo-user": "ann"}
    ) as answer:
        return answer.status, await answer.json(content_type=None)


async def write(house: House, method: str, path: str, configs: Any, **more: Any) -> Any:
    status, answer = await call(house, method, path, {"configs": configs, **more})
    assert status == 200, answer
    return answer


async def refusal(house: House, method: str, path: str, body: Any = None) -> str:
    status, answer = await call(house, method, path, body)
    assert (status, answer["error_code"]) == (400, "USER"), answer
    return str(answer["code"])


async def test_a_pool_made_of_templates_is_worked_out_and_used_at_once(house: House) -> None:
    await write(house, "PUT", "pod_template/gpu_nodes", TEMPLATE, description="GPU nodes", tags=["hw"])
    pool = {
        "backend": "b1",
        "default_platform": "big",
        "resources": {"gpu": {"guarantee": 2, "maximum": 8, "weight": 3}},
        "topology_keys": [{"key": "rack", "label": "example.com/rack"}],
        "common_pod_template": ["gpu_nodes"],
        "common_resource_validations": ["default_gpu"],
        "common_default_variables": {"USER_CPU": 1},
        "platforms": {"big": {"default_variables": {"USER_CPU": 2}}},
        "unheard_of": True,
    }
    await write(house, "PUT", "pool/lab", pool)
    status, verbose = await call(house, "GET", "pool/lab", verbose="True")
    assert (status, verbose["name"], verbose["status"]) == (200, "lab", "ONLINE")
    big = verbose["platforms"]["big"]
    assert (big["labels"], big["default_mounts"]) == ({"kind": "gpu"}, ["/datasets"])
    assert big["tolerations"] == [{"key": "gpu", "operator": "Exists", "value": None, "effect": "NoSchedule"}]
    assert verbose["parsed_pod_template"] == TEMPLATE
    assert [rule["operator"] for rule in verbose["parsed_resource_validations"]] == ["LE", "GE"]
    assert "unheard_of" not in verbose
    assert "labels" not in (await call(house, "GET", "pool/lab"))[1]["platforms"]["big"]

    async with house.session.get("/api/pool_quota", params={"pools": "lab"}) as answer:
        (entry,) = (await answer.json())["node_sets"][0]["pools"]
    assert (entry["resource_usage"]["quota_limit"], entry["resource_usage"]["total_capacity"]) == ("2", "16")
    assert entry["topology_keys"] == [{"key": "rack", "label": "example.com/rack"}]
    async with house.session.get("/api/resources", params={"pools": "lab"}) as answer:
        node = (await answer.json())["resources"][0]
    assert node["platform_allocatable_fields"]["lab"]["big"]["cpu"] == "63.5"
    assert node["resource_type"] == "SHARED"


async def test_a_changed_template_changes_the_pools_that_are_made_of_it(house: House) -> None:
    await write(house, "PUT", "pod_template/nodes", TEMPLATE)
    await write(house, "PUT", "pool/lab", {"backend": "b1", "common_pod_template": ["nodes"], "platforms": {"p": {}}})
    await write(house, "PUT", "pod_template/nodes", {"spec": {"nodeSelector": {"kind": "cpu"}}})
    assert house.gateway.estate.catalogue.pools["lab"].platforms["p"].labels == {"kind": "cpu"}
    assert [name for _, name in house.gateway.estate.layout.pool_nodes["lab"]] == ["c1.example"]


async def test_a_seeded_pool_is_patched_like_any_other(house: House) -> None:
    _, before = await call(house, "GET", "pool/default")
    assert before["platforms"]["gpu"]["node_selector"] == {"kind": "gpu"}
    status, after = await call(
        house,
        "PATCH",
        "pool/default",
        {"configs_dict": {"enable_maintenance": True, "platforms": {"cpu": {"$action": "delete"}}}},
    )
    assert (status, after["status"], set(after["platforms"])) == (200, "MAINTENANCE", {"gpu"})
    assert after["default_exec_timeout"] == before["default_exec_timeout"] == "5d"
    assert house.gateway.estate.catalogue.pools["default"].default_exec_timeout_s == 432_000


@pytest.mark.parametrize(
    ("pool", "code"),
    [
        ({"backend": "nowhere"}, "config.unknown_backend"),
        ({"backend": "b1", "resources": {"gpu": {"guarantee": -5}}}, "config.quota"),
        ({"backend": "b1", "resources": {"gpu": {"guarantee": 10**9}}}, "config.quota"),
        ({"backend": "b1", "resources": {"gpu": {"guarantee": 9, "maximum": 8}}}, "config.quota"),
        ({"backend": "b1", "resources": {"gpu": {"maximum": 8}}}, "config.quota"),
        ({"backend": "b1", "resources": {"gpu": {"weight": -1}}}, "config.quota"),
        ({"backend": "b1", "default_platform": "gone", "platforms": {"p": {}}}, "config.default_platform"),
        ({"backend": "b1", "common_pod_template": ["gone"]}, "config.unknown_pod_template"),
        ({"backend": "b1", "common_group_templates": ["gone"]}, "config.unknown_group_template"),
        ({"backend": "b1", "platforms": {"p": {"resource_validations": ["x"]}}}, "config.unknown_resource_validation"),
        ({"backend": "b1", "platforms": {"p": {"node_selector": {"not a label": "x"}}}}, "config.label"),
        ({"backend": "b1", "default_exec_timeout": "soon"}, "config.time"),
        ({"backend": "b1", "default_exec_timeout": "5d", "max_exec_timeout": "1d"}, "config.time"),
        ({"backend": "b1", "default_exit_actions": {"EXPLODE": "1"}}, "config.exit_action"),
        ({"backend": "b1", "default_exit_actions": {"RESCHEDULE": "1 to 3"}}, "config.exit_action"),
        ({"backend": "b1", "topology_keys": [{"key": "rack", "label": "?"}]}, "config.topology"),
        ({"backend": "b1", "max_num_tasks": 0}, "config.limit"),
        ({"backend": "b1", "platforms": {"p": {"privileged_allowed": "yes"}}}, "config.bad_shape"),
        ({"backend": "b1", "name": "other"}, "config.name"),
        ({"backend": 7}, "config.bad_shape"),
    ],
)
async def test_a_pool_that_cannot_be_is_refused_and_changes_nothing(house: House, pool: Any, code: str) -> None:
    before = await call(house, "GET", "history")
    assert await refusal(house, "PUT", "pool/lab", {"configs": pool}) == code
    assert await call(house, "GET", "history") == before


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("pod_template/t", {}, "config.bad_template"),
        ("pod_template/t", {"spec": {"containers": [{"image": "x"}]}}, "config.bad_template"),
        ("pod_template/t", {"spec": {"containers": {"name": "x"}}}, "config.bad_template"),
        ("pod_template/t", {"spec": {"nodeSelector": {"a": 1}}}, "config.bad_template"),
        ("pod_template/t", {"spec": {"hostname": "{{ oops"}}, "config.bad_template"),
        ("pod_template/t", {"spec": {"tolerations": [{"key": "a", "operator": "Near"}]}}, "config.bad_template"),
        ("pod_template/t", {"kind": "Service"}, "config.bad_template"),
        ("pod_template/9", TEMPLATE, "config.name"),
        ("group_template/g", {"apiVersion": "v1", "kind": "ConfigMap"}, "config.bad_template"),
        (
            "group_template/g",
            {"apiVersion": "v1", "kind": "C", "metadata": {"name": "a", "namespace": "b"}},
            "config.bad_template",
        ),
        ("resource_validation/r", [{"operator": "NE"}], "config.bad_shape"),
        (
            "resource_validation/r",
            [{"operator": "NE", "left_operand": "1", "right_operand": "1", "assert_message": ""}],
            "config.bad_assertion",
        ),
        (
            "resource_validation/r",
            [{"operator": "EQ", "left_operand": "{{", "right_operand": "1", "assert_message": ""}],
            "config.bad_assertion",
        ),
        ("backend_test/b", {"cron_schedule": "0 99 * * *"}, "config.cron"),
        ("backend_test/b", {"cron_schedule": "0 3 * * *", "node_conditions": ["a"]}, "config.bad_shape"),
        ("role/r", {"policies": [{"actions": ["fly"]}]}, "config.role_action"),
        ("role/osmo-admin", {"policies": []}, "config.immutable_role"),
    ],
)
async def test_objects_that_cannot_be_are_refused(house: House, path: str, value: Any, code: str) -> None:
    assert await refusal(house, "PUT", path, {"configs": value}) == code


async def test_what_is_in_use_is_not_deleted_and_says_by_whom(house: House) -> None:
    await write(house, "PUT", "pod_template/nodes", TEMPLATE)
    await write(house, "PUT", "pool/lab", {"backend": "b2", "platforms": {"p": {"override_pod_template": ["nodes"]}}})
    status, answer = await call(house, "DELETE", "pod_template/nodes", {"description": "tidy"})
    assert (status, answer["code"], answer["message"]) == (
        400,
        "config.in_use",
        "The pod template nodes is in use by pool lab.",
    )
    assert await refusal(house, "DELETE", "backend/b2") == "config.in_use"
    assert await refusal(house, "PUT", "pod_template/nodes", {"configs": {"spec": {"nodeSelector": {"a": "{{X}}"}}}})
    await house.append("w-1", submitted("w-1"))
    assert await refusal(house, "DELETE", "pool/default") == "config.in_use"
    assert await refusal(house, "PATCH", "pool/default", {"configs_dict": {"backend": "b2"}}) == "config.in_use"
    assert (await call(house, "DELETE", "pool/lab"))[0] == 200
    assert (await call(house, "DELETE", "pod_template/nodes"))[0] == 200
    assert "lab" not in house.gateway.estate.catalogue.pools


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ({"node_selector": {"kind": "tpu"}}, "none has the label kind=tpu; kind is cpu, gpu."),
        (
            {"node_selector": {"kind": "gpu", "zone": "east"}},
            "none of those with its other labels has the label zone=east, nor zone at all.",
        ),
    ],
)
async def test_a_platform_that_selects_no_node_is_refused_unless_its_nodes_are_still_to_come(
    house: House, platform: Any, words: str
) -> None:
    pool = {"backend": "b1", "platforms": {"p": platform}}
    status, answer = await call(house, "PUT", "pool/lab", {"configs": pool})
    assert (status, answer["code"]) == (400, "config.no_nodes")
    assert f"selects none of the 3 nodes of backend b1: {words}" in answer["message"]
    assert answer["path"] == "platforms.p"
    assert await refusal(house, "GET", "pool/lab") == "config.unknown"
    await write(house, "PUT", "pool/lab", {"backend": "b1", "platforms": {"p": {**platform, "scales_from_zero": True}}})
    assert (await call(house, "GET", "pool/lab"))[1]["platforms"]["p"]["scales_from_zero"] is True


async def test_a_template_that_takes_the_nodes_from_a_platform_is_refused(house: House) -> None:
    await write(house, "PUT", "pod_template/nodes", TEMPLATE)
    await write(house, "PUT", "pool/lab", {"backend": "b1", "common_pod_template": ["nodes"], "platforms": {"p": {}}})
    lost = {"configs": {"spec": {"nodeSelector": {"kind": "tpu"}}}}
    assert await refusal(house, "PUT", "pod_template/nodes", lost) == "config.no_nodes"
    assert house.gateway.estate.catalogue.pools["lab"].platforms["p"].labels == {"kind": "gpu"}


async def test_platforms_and_pools_are_put_and_renamed(house: House) -> None:
    await write(house, "PUT", "pool/lab", {"backend": "b1", "default_platform": "p", "platforms": {"p": {}}})
    await write(house, "PUT", "pool/lab/platform/q", {"description": "more"})
    assert (await call(house, "GET", "pool/lab/platform/q"))[1]["description"] == "more"
    assert (await call(house, "PUT", "pool/lab/platform/p/rename", {"new_name": "r"}))[0] == 200
    assert (await call(house, "GET", "pool/lab"))[1]["default_platform"] == "r"
    assert await refusal(house, "PUT", "pool/lab/platform/q/rename", {"new_name": "r"}) == "config.exists"
    assert (await call(house, "PUT", "pool/lab/rename", {"new_name": "studio"}))[0] == 200
    assert await refusal(house, "GET", "pool/lab") == "config.unknown"
    assert set((await call(house, "GET", "pool/studio/platform"))[1]) == {"q", "r"}
    assert await refusal(house, "PUT", "pool/studio/rename", {"new_name": "default"}) == "config.exists"


async def test_settings_are_patched_seen_at_once_and_hold_no_secrets(house: House) -> None:
    status, answer = await call(
        house, "PATCH", "workflow", {"configs_dict": {"max_num_tasks": 50, "workflow_info": {"tags": ["green"]}}}
    )
    assert (status, answer["max_num_tasks"], answer["workflow_info"]["max_name_length"]) == (200, 50, 64)
    assert house.gateway.estate.catalogue.workflow.max_num_tasks == 50
    async with house.session.get("/api/tag") as tags:
        assert await tags.json() == {"tags": ["green"]}
    secret = {"configs_dict": {"workflow_alerts": {"slack_token": "xoxb"}}}
    assert await refusal(house, "PATCH", "workflow", secret) == "config.secret"
    assert await refusal(house, "PATCH", "workflow", {"configs_dict": {"max_pumpkins": 1}}) == "config.bad_shape"
    assert await refusal(house, "PATCH", "workflow", {"configs_dict": {"max_num_tasks": 0}}) == "config.limit"
    status, service = await call(house, "PATCH", "service", {"configs_dict": {"agent_queue_size": 9}})
    assert (status, service["agent_queue_size"], service["max_pod_restart_limit"]) == (200, 9, "30m")
    version = {"configs_dict": {"cli_config": {"latest_version": "new"}}}
    assert await refusal(house, "PATCH", "service", version) == "config.version"


async def test_backends_are_shown_with_what_their_agents_say(house: House) -> None:
    _, listed = await call(house, "GET", "backend")
    found = {one["name"]: one for one in listed["backends"]}
    assert (found["b1"]["online"], found["b1"]["k8s_uid"], found["b2"]["online"]) == (True, "uid", False)
    assert found["b1"]["node_conditions"] == {"rules": {"Ready": "True"}, "prefix": "osmo.nvidia.com/"}
    await write(house, "POST", "backend/b1", {"dashboard_url": "https://d", "description": None})
    assert (await call(house, "GET", "backend/b1"))[1]["dashboard_url"] == "https://d"
    rules = {"node_conditions": {"rules": {"Ready": "False"}}}
    assert await refusal(house, "POST", "backend/b1", {"configs": rules}) == "config.node_condition"
    assert await refusal(house, "POST", "backend/b1", {"configs": {"tests": ["t"]}}) == "config.unknown_backend_test"
    assert await refusal(house, "GET", "backend/nowhere") == "config.unknown"


async def test_history_tells_who_changed_what_and_goes_back(house: House) -> None:
    for memory in ("1", "2", "3"):
        rule = {"operator": "GT", "left_operand": "{{USER_CPU}}", "right_operand": memory, "assert_message": "few"}
        await write(house, "PUT", "resource_validation/few", [rule], description=f"at least {memory}", tags=["cpu"])
    query = {"config_types": "RESOURCE_VALIDATION", "order": "DESC", "limit": "2"}
    _, page = await call(house, "GET", "history", **query)
    assert [
        (one["revision"], one["name"], one["username"], one["description"], one["tags"]) for one in page["configs"]
    ] == [(4, "few", "ann", "at least 3", ["cpu"]), (3, "few", "ann", "at least 2", ["cpu"])]
    assert page["configs"][1]["data"]["few"][0]["right_operand"] == "2"
    assert "+" not in page["configs"][0]["created_at"]
    assert not page["configs"][0]["created_at"].endswith("Z")

    difference = {"config_type": "RESOURCE_VALIDATION", "first_revision": "2", "second_revision": "4"}
    _, both = await call(house, "GET", "diff", **difference)
    assert both["first_data"]["few"] != both["second_data"]["few"]

    back = {"config_type": "RESOURCE_VALIDATION", "revision": 2, "description": "as before"}
    assert await call(house, "POST", "history/rollback", back) == (200, None)
    assert (await call(house, "GET", "resource_validation/few"))[1][0]["right_operand"] == "1"
    assert (await call(house, "POST", "history/rollback", {**back, "revision": 1}))[0] == 200
    assert "few" not in (await call(house, "GET", "resource_validation"))[1]
    assert await refusal(house, "POST", "history/rollback", {**back, "revision": 99}) == "config.unknown_revision"


async def test_revisions_are_tagged_and_deleted_but_not_the_current_one(house: House) -> None:
    await write(house, "PUT", "pod_template/nodes", TEMPLATE)
    path = "history/pod_template/revision"
    assert await call(house, "POST", f"{path}/1/tags", {"set_tags": ["old", "x"], "delete_tags": ["x"]}) == (200, None)
    _, page = await call(house, "GET", "history", config_types="POD_TEMPLATE", tags="old")
    assert [(one["revision"], one["tags"]) for one in page["configs"]] == [(1, ["old"])]
    assert await refusal(house, "DELETE", f"{path}/2") == "config.current_revision"
    assert await call(house, "DELETE", f"{path}/1") == (200, None)
    assert await refusal(house, "POST", f"{path}/1/tags", {"set_tags": ["a"]}) == "config.deleted_revision"
    rollback = {"config_type": "POD_TEMPLATE", "revision": 1}
    assert await refusal(house, "POST", "history/rollback", rollback) == "config.deleted_revision"
    _, page = await call(house, "GET", "history", config_types="POD_TEMPLATE")
    assert [one["revision"] for one in page["configs"]] == [2]


async def test_the_state_at_a_time_has_the_newest_revision_of_each_type(house: House) -> None:
    query = {"at_timestamp": "2026-11-20 11:30:00.000000", "omit_data": "True", "limit": "100"}
    _, page = await call(house, "GET", "history", **query)
    found = {one["config_type"]: one for one in page["configs"]}
    assert {"POOL", "BACKEND", "WORKFLOW", "ROLE", "POD_TEMPLATE", "RESOURCE_VALIDATION"} == set(found)
    assert (found["POOL"]["revision"], found["POOL"]["username"], found["POOL"]["data"]) == (3, "seed", None)
    _, nothing = await call(house, "GET", "history", at_timestamp="2020-01-01 00:00:00.0")
    assert nothing == {"configs": []}


async def test_writes_at_the_same_time_all_count_and_none_is_lost(house: House) -> None:
    patches = [{"configs_dict": {"common_default_variables": {f"V{n}": n}}} for n in range(20)]
    answers = await asyncio.gather(*(call(house, "PATCH", "pool/default", one) for one in patches))
    assert {status for status, _ in answers} == {200}
    _, pool = await call(house, "GET", "pool/default")
    assert pool["common_default_variables"] == {f"V{n}": n for n in range(20)}


async def test_a_body_of_the_wrong_shape_says_what_is_missing(house: House) -> None:
    for path, body in (("pool", {}), ("pool", {"configs": []}), ("role", {"configs": [{}]}), ("pool/default", None)):
        status, answer = await call(house, "PUT", path, body)
        assert (status, answer["detail"][0]["loc"]) == (422, ["body", "configs"])
    assert (await call(house, "PUT", "pool/default/rename", {}))[0] == 422
    assert await refusal(house, "GET", "history?config_types=PUMPKIN") == "config.unknown_type"


async def test_the_path_with_two_slashes_of_the_public_client_works(house: House) -> None:
    async with house.session.get(house.app.address + "//api/configs/history?limit=1") as answer:
        assert (answer.status, len((await answer.json())["configs"])) == (200, 1)
