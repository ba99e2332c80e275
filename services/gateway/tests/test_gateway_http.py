"""The HTTP API over a real server: what clients of the public OSMO send, and what they get."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator

import msgspec
import pytest
from services.gateway.tests.gateway_house import T0, House, ended, open_house, started, submitted
from yarl import URL

from osmo_api import http
from osmo_api.client import RefusedCall
from osmo_domain.requests import CancelRequest, Done, Refused, RestartRequest, SubmitRequest, Submitted, TagRequest
from osmo_domain.workflow.events import TaskRescheduled, WorkflowRejected
from osmo_domain.workflow.status import TaskStatus


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


async def get(house: House, path: str, **headers: str) -> tuple[int, object]:
    url = URL(house.app.address + path, encoded=True)
    async with house.session.get(url, headers={"x-osmo-user": "ann", **headers}) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_health_versions_and_login_answer_without_anybody_logged_in(house: House) -> None:
    assert await get(house, "/health") == (200, {"status": "OK"})
    assert await get(house, "/api/version") == (200, {"major": "6", "minor": "4", "revision": "0", "hash": ""})
    status, login = await get(house, "/api/auth/login")
    assert (status, set(login.values())) == (200, {None})  # type: ignore[attr-defined]
    async with house.session.get("/client/version", headers={"Accept": "text/plain"}) as answer:
        assert await answer.text() == "6.4.0"


async def test_leading_double_slashes_mean_one(house: House) -> None:
    for path in ("//api/pool", "///api/pool?all_pools=True", "//api/pool_quota?pools=default&all_pools=False"):
        assert (await get(house, path))[0] == 200
    await house.append("w-1", submitted())
    status, body = await get(house, "//api/workflow/w-1?skip_groups=true")
    assert (status, body["name"], body["groups"]) == (200, "w-1", [])  # type: ignore[index]
    assert (await get(house, "//api/nothing"))[0] == 404


async def test_unknown_paths_and_wrong_verbs(house: House) -> None:
    assert await get(house, "/api/nothing") == (404, {"detail": "Not Found"})
    async with house.session.delete("/api/pool") as answer:
        assert answer.status == 405
        assert await answer.json() == {"detail": "Method Not Allowed"}


async def test_every_answer_has_a_request_id_and_takes_over_the_callers(house: House) -> None:
    async with house.session.get("/health", headers={"x-request-id": "abc-1"}) as answer:
        assert answer.headers["x-request-id"] == "abc-1"
    async with house.session.get("/api/workflow/none-1", headers={"x-request-id": "bad id\t"}) as answer:
        body = await answer.json()
        assert body["request_id"] == answer.headers["x-request-id"] != "bad id"


async def test_old_clients_are_told_and_bad_versions_refused(house: House) -> None:
    async with house.session.get("/api/version", headers={"x-osmo-client-version": "6.3.9"}) as answer:
        assert answer.headers["x-osmo-service-version"] == "6.4.0"
        assert "6.3.9" in base64.b64decode(answer.headers["x-osmo-warning"]).decode()
    async with house.session.get("/api/version", headers={"x-osmo-client-version": "6.4.0"}) as answer:
        assert "x-osmo-warning" not in answer.headers
    async with house.session.get("/api/version", headers={"x-osmo-client-version": "new"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "client.bad_version")
    async with house.session.get("/client/version", headers={"x-osmo-client-version": "new"}) as answer:
        assert answer.status == 200


async def test_submit_hands_everything_to_the_front_door_and_links_the_answer(house: House) -> None:
    house.answer = lambda _: Submitted(name="w-7", warnings=("careful",))
    async with house.session.post(
        "/api/pool/default/workflow?priority=HIGH&env_vars=A=1&env_vars=B=2=3&label=team=x&dry_run=False&app_version=3",
        data=json.dumps({"file": "workflow: {}", "set_variables": ["a=1"], "uploaded_templated_spec": None}),
        headers={"x-osmo-user": "ann", "x-osmo-roles": "osmo-user, osmo-admin", "Idempotency-Key": "k1"},
    ) as answer:
        body = await answer.json()
    assert body == {
        "name": "w-7",
        "overview": "http://osmo.test/api/workflow/w-7",
        "logs": "http://osmo.test/api/workflow/w-7/logs",
        "spec": None,
        "dashboard_url": None,
        "warnings": ["careful"],
        "seq": None,
    }
    request = house.asked[0]
    assert isinstance(request, SubmitRequest)
    assert (request.pool, request.user, request.file, request.priority) == ("default", "ann", "workflow: {}", "HIGH")
    assert (request.env_vars, request.labels, request.set_variables) == (("A=1", "B=2=3"), ("team=x",), ("a=1",))
    assert (request.roles, request.idempotency_key, request.app_version) == (("osmo-user", "osmo-admin"), "k1", 3)


async def test_dry_run_and_validation_answer_with_what_the_front_door_said(house: House) -> None:
    house.answer = lambda request: (
        Submitted(name="w", spec="rendered") if request.dry_run else Submitted(name="w", logs="fine")  # type: ignore[union-attr]
    )
    body = http.SubmitBody(file="x")
    dry = await house.client.submit("default", body, {"dry_run": True})
    assert (dry.name, dry.spec, dry.logs, dry.overview) == ("w", "rendered", None, None)
    checked = await house.client.submit("default", body, {"validation_only": "yes"})
    assert (checked.name, checked.spec, checked.logs, checked.overview) == ("w", None, "fine", None)


async def test_resubmitting_by_id_sends_an_empty_body_with_a_json_content_type(house: House) -> None:
    house.answer = lambda _: Submitted(name="w-8")
    async with house.session.post(
        "/api/pool/default/workflow?workflow_id=w-1", headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 200
    assert house.asked[0].source_workflow_id == "w-1"  # type: ignore[union-attr]
    assert house.asked[0].user == "testuser"


@pytest.mark.parametrize("query", ["", "?workflow_id=w-1"])
async def test_a_submission_has_exactly_one_source(house: House, query: str) -> None:
    data = json.dumps({"file": "x"}) if query else ""
    async with house.session.post(f"/api/pool/default/workflow{query}", data=data) as answer:
        body = await answer.json()
    assert (answer.status, body["error_code"], body["code"]) == (400, "USAGE", "submit.body_or_workflow_id")


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("{", ["body"]),
        ("[]", ["body"]),
        ("{}", ["body"]),
        ('{"file": 1}', ["body", "file"]),
        ('{"file": "x", "more": 1}', ["body"]),
        ('{"file": "x", "set_variables": "a=1"}', ["body", "set_variables"]),
        (b'{"file": "\xff"}', ["body"]),
        ('{"file": "\\ud800"}', ["body"]),
    ],
)
async def test_bodies_of_another_shape_are_told_where_they_are_wrong(house: House, data: str, place: list[str]) -> None:
    async with house.session.post("/api/pool/default/workflow", data=data) as answer:
        body = await answer.json()
    assert answer.status == 422, body
    assert body["detail"][0]["loc"] == place
    assert not house.asked


async def test_refusals_come_with_their_code_place_and_workflow(house: House) -> None:
    house.answer = lambda _: Refused(
        "spec.unknown_key", "no such key", error_code="USAGE", line=3, column=5, path="workflow.x", workflow_id="w"
    )
    with pytest.raises(RefusedCall) as refused:
        await house.client.submit("default", http.SubmitBody(file="x"))
    assert refused.value.status == 400
    error = refused.value.error
    assert (error.message, error.error_code, error.workflow_id) == ("no such key (line 3, column 5)", "USAGE", "w")
    assert (error.code, error.line, error.column, error.path) == ("spec.unknown_key", 3, 5, "workflow.x")
    assert error.request_id


async def test_a_body_above_the_limit_is_refused_with_a_code(house: House) -> None:
    try:
        async with house.session.post("/api/pool/default/workflow", data=io.BytesIO(b"x" * (41 << 20))) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "request.too_large")
    finally:
        assert not house.asked


async def test_what_was_submitted_is_read_by_the_next_request(house: House) -> None:
    async def append_late(seq: int) -> None:
        assert await house.append("w-9", submitted("w-9"), settle=False) == seq

    seq = await house.connection.log.last_seq("WORKFLOWS") + 1
    house.answer = lambda _: Submitted(name="w-9", seq=seq)
    answer = await house.client.submit("default", http.SubmitBody(file="x"))
    assert answer.seq == seq
    _, found = await asyncio.gather(append_late(seq), house.client.workflow("w-9"))
    assert found.status == "PENDING"


async def test_a_workflow_that_another_gateway_took_is_waited_for(house: House) -> None:
    await house.append("w-9", submitted("w-9"), settle=False)
    assert (await house.client.workflow("w-9")).name == "w-9"


async def test_cancel_restart_and_tag_resolve_the_uuid_and_ask_the_front_door(house: House) -> None:
    event = submitted()
    await house.append("w-1", event)
    house.answer = lambda request: Submitted(name="w-2") if isinstance(request, RestartRequest) else Done(name="w-1")
    cancelled = await house.client.cancel(event.uuid, message="enough", force=True)
    assert cancelled.name == "w-1"
    assert house.asked[-1] == CancelRequest(user="ann", workflow_id="w-1", message="enough", force=True)
    restarted = await house.client.post(http.SubmitAnswer, f"/api/pool/default/workflow/{event.uuid}/restart")
    assert (restarted.name, restarted.logs) == ("w-2", "http://osmo.test/api/workflow/w-2/logs")
    assert house.asked[-1] == RestartRequest(pool="default", user="ann", workflow_id="w-1")
    assert await house.client.call("POST", "/api/workflow/w-1/tag", {"add": ["red"], "remove": ["blue"]}) == b"null"
    assert house.asked[-1] == TagRequest(user="ann", workflow_id="w-1", add=("red",), remove=("blue",))
    with pytest.raises(RefusedCall) as refused:
        await house.client.call("POST", "/api/workflow/w-1/tag")
    assert refused.value.error.code == "tag.nothing"


@pytest.mark.parametrize("path", ["", "/logs", "/events", "/spec", "/error_logs", "/task/t", "/cancel", "/tag?add=red"])
async def test_unknown_workflows_are_a_database_error_everywhere(house: House, path: str) -> None:
    method = "POST" if path.startswith(("/cancel", "/tag")) else "GET"
    for name in ("none-1", "0" * 32, "%00", "a%2Fb", "x" * 3000):
        async with house.session.request(method, f"/api/workflow/{name}{path}") as answer:
            body = await answer.json()
            assert (answer.status, body["error_code"], body["code"]) == (400, "DATABASE", "workflow.unknown")


async def test_a_workflow_is_answered_with_every_key_of_the_reference(house: House) -> None:
    await house.append("w-1", submitted(tasks=("a", "b"), parent_name="w", parent_number=4, tags=("red",)))
    await house.append("w-1", *started("a"))
    status, body = await get(house, "/api/workflow/w-1")
    assert status == 200
    assert isinstance(body, dict)
    assert set(body) == {
        "name", "uuid", "submitted_by", "cancelled_by", "spec", "template_spec", "logs", "events", "overview", "parent_name",
        "parent_job_id", "dashboard_url", "grafana_url", "tags", "submit_time", "start_time", "end_time", "exec_timeout",
        "queue_timeout", "duration", "queued_time", "status", "outputs", "groups", "pool", "backend", "app_owner", "app_name",
        "app_version", "plugins", "priority", "labels", "warnings", "failure_message",
    }  # fmt: skip
    assert (body["status"], body["submit_time"], body["start_time"]) == (
        "RUNNING", "2026-11-20T11:00:01", "2026-11-20T11:00:10",
    )  # fmt: skip
    assert (body["queued_time"], body["duration"], body["exec_timeout"]) == (9.0, 0.0, 60.0)
    assert (body["parent_name"], body["parent_job_id"], body["tags"], body["end_time"]) == ("w", 4, ["red"], None)
    first, second = body["groups"]
    assert set(first) == {
        "name", "status", "start_time", "end_time", "processing_start_time", "scheduling_start_time", "initializing_start_time",
        "remaining_upstream_groups", "downstream_groups", "failure_message", "tasks",
    }  # fmt: skip
    assert (second["remaining_upstream_groups"], first["downstream_groups"]) == (["a-group"], ["b-group"])
    (task,) = first["tasks"]
    assert set(task) == {
        "name", "retry_id", "status", "failure_message", "exit_code", "logs", "error_logs", "processing_start_time",
        "scheduling_start_time", "initializing_start_time", "events", "start_time", "end_time", "input_download_start_time",
        "input_download_end_time", "output_upload_start_time", "dashboard_url", "pod_name", "pod_ip", "task_uuid", "node_name",
        "lead",
    }  # fmt: skip
    assert (task["status"], task["node_name"], task["pod_ip"], task["lead"]) == ("RUNNING", "g1", "10.0.0.9", True)
    assert task["logs"] == "http://osmo.test/api/workflow/w-1/logs?last_n_lines=1000&task_name=a&retry_id=0"
    assert task["error_logs"] is None


async def test_verbose_shows_every_attempt_and_failures_link_their_error_logs(house: House) -> None:
    await house.append("w-1", submitted())
    await house.append("w-1", *started(), TaskRescheduled(task="t", retry_id=0, at=T0, exit_code=5))
    terse, verbose = await house.client.workflow("w-1"), await house.client.workflow("w-1", verbose=True)
    assert [task.retry_id for task in terse.groups[0].tasks] == [1]
    assert [(task.retry_id, task.exit_code) for task in verbose.groups[0].tasks] == [(1, None), (0, 5)]
    assert verbose.groups[0].tasks[1].error_logs is not None


async def test_the_list_shows_the_callers_own_in_their_pool_and_says_whether_there_is_more(house: House) -> None:
    for n, user in enumerate(("ann", "bob", "ann"), 1):
        await house.append(f"w-{n}", submitted(f"w-{n}", user=user))
    rejected = WorkflowRejected("w-4", "4" * 32, "ann", "default", T0, "x", "bad")
    await house.append("w-4", rejected)
    mine = await house.client.workflows()
    assert [entry.name for entry in mine.workflows] == ["w-1", "w-3"]
    assert not mine.more_entries
    page = await house.client.workflows({"all_users": True, "limit": 1, "order": "DESC"})
    assert ([entry.name for entry in page.workflows], page.more_entries) == (["w-3"], True)
    hidden = await house.client.workflows({"statuses": ["FAILED_SUBMISSION"], "pools": ["default"]})
    assert [(entry.name, entry.error_logs) for entry in hidden.workflows] == [
        ("w-4", "http://osmo.test/api/workflow/w-4/error_logs")
    ]
    assert not (await house.client.workflows({"pools": ["spare"]})).workflows
    assert not (await house.client.workflows({"users": ["nobody"]})).workflows
    entry = mine.workflows[0]
    assert (entry.submit_time.isoformat(), entry.duration, entry.user) == ("2026-11-20T11:00:01", None, "ann")


async def test_users_may_be_named_without_their_domain_unless_that_could_be_several(house: House) -> None:
    await house.append("w-1", submitted(user="kim@one.example"))
    assert [one.name for one in (await house.client.workflows({"users": ["kim"]})).workflows] == ["w-1"]
    await house.append("w-2", submitted("w-2", user="kim@two.example"))
    with pytest.raises(RefusedCall) as refused:
        await house.client.workflows({"users": ["kim"]})
    assert refused.value.error.code == "user.ambiguous"


BAD = "nonsense"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/api/workflow", ["limit", "offset", "order", "statuses", "all_users", "all_pools", "priority", "submitted_before", "submitted_after"]),
        ("/api/task", ["limit", "offset", "order", "statuses", "all_users", "all_pools", "priority", "summary", "aggregate_by_workflow", "started_after", "started_before"]),
        ("/api/workflow/w-1", ["skip_groups", "verbose"]),
        ("/api/workflow/w-1/logs", ["last_n_lines", "retry_id"]),
        ("/api/workflow/w-1/error_logs", ["last_n_lines", "retry_id"]),
        ("/api/workflow/w-1/events", ["retry_id"]),
        ("/api/workflow/w-1/spec", ["use_template"]),
        ("/api/pool", ["all_pools"]),
        ("/api/pool_quota", ["all_pools"]),
        ("/api/resources", ["all_pools", "concise"]),
    ],
)  # fmt: skip
async def test_every_parameter_of_a_wrong_type_is_named_in_a_422(house: House, path: str, names: list[str]) -> None:
    await house.append("w-1", submitted())
    for name in names:
        for value in (BAD, "1e9", "9" * 5000, "\x00", ""):
            async with house.session.get(path, params={name: value}) as answer:
                body = await answer.json(content_type=None)
                assert answer.status == 422, (name, value, body)
                assert body["detail"][0]["loc"] == ["query", name]
    query = "&".join(f"{name}={BAD}" for name in names)
    async with house.session.get(f"{path}?{query}") as answer:
        assert [problem["loc"][1] for problem in (await answer.json())["detail"]].sort() == names.sort()


@pytest.mark.parametrize("name", ["dry_run", "validation_only", "priority", "app_version"])
async def test_wrong_types_in_a_submission_are_a_422_and_go_no_further(house: House, name: str) -> None:
    async with house.session.post(f"/api/pool/default/workflow?{name}={BAD}", data='{"file": "x"}') as answer:
        assert answer.status == 422
    assert not house.asked


@pytest.mark.parametrize(
    ("path", "code", "error_code"),
    [
        ("/api/workflow?limit=1001", "list.limit", "USER"),
        ("/api/workflow?limit=-1", "list.limit", "USER"),
        ("/api/workflow?offset=-1", "list.offset", "USAGE"),
        ("/api/task?limit=0", "list.limit", "USER"),
        ("/api/task?offset=-5", "list.offset", "USAGE"),
        ("/api/workflow?label=x", "query.bad_label_selector", "USAGE"),
        ("/api/workflow?label=x=((a)|b)", "query.bad_label_selector", "USAGE"),
        ("/api/workflow?label=x=" + "(a|b)" * 6, "query.bad_label_selector", "USAGE"),
        ("/api/workflow?label=x=" + "a" * 5000, "query.bad_label_selector", "USAGE"),
        ("/api/workflow/w-1/logs?last_n_lines=-1", "logs.last_n_lines", "USER"),
        ("/api/workflow/w-1/logs?query=(", "query.bad_regex", "USER"),
        ("/api/workflow/w-1/logs?query=(a)%5C1", "query.bad_regex", "USER"),
        ("/api/workflow/w-1/logs?query=(a{1000}){1000}", "query.bad_regex", "USER"),
        ("/api/workflow/w-1/logs?task_name=none", "task.unknown", "DATABASE"),
        ("/api/workflow/w-1/logs?task_name=t&retry_id=3", "task.unknown", "DATABASE"),
        ("/api/workflow/w-1/events?task_name=none", "task.unknown", "DATABASE"),
        ("/api/workflow/w-1/task/none", "task.unknown", "DATABASE"),
        ("/api/workflow/w-1/spec", "workflow.no_spec", "USER"),
    ],
)
async def test_values_that_make_no_sense_are_refused_with_a_stable_code(
    house: House, path: str, code: str, error_code: str
) -> None:
    await house.append("w-1", submitted())
    async with house.session.get(path) as answer:
        body = await answer.json()
    assert (answer.status, body["code"], body["error_code"]) == (400, code, error_code)


async def test_labels_select_with_wildcards_and_alternatives(house: House) -> None:
    for n, team in enumerate(("red-1", "blue-1", "green-1"), 1):
        event = submitted(f"w-{n}")
        assert event.plan is not None
        event = msgspec.structs.replace(event, plan=msgspec.structs.replace(event.plan, labels={"team": team}))
        await house.append(f"w-{n}", event)
    found = await house.client.workflows({"label": ["team=(red|blue)-*"]})
    assert [one.name for one in found.workflows] == ["w-1", "w-2"]
    assert not (await house.client.workflows({"no_label": ["team"]})).workflows


async def test_tasks_are_listed_summed_and_asked_one_by_one(house: House) -> None:
    await house.append("w-1", submitted(tasks=("a", "b")), *started("a"))
    tasks = await house.client.tasks({"order": "DESC"})
    assert [(one.task_name, one.status, one.node) for one in tasks.tasks] == [
        ("a", "RUNNING", "g1"),
        ("b", "WAITING", None),
    ]
    assert (tasks.tasks[0].memory, tasks.tasks[0].storage, tasks.tasks[0].duration) == (4.0, 1.0, 0.0)
    ascending = await house.client.tasks()
    assert [one.task_name for one in ascending.tasks] == ["b", "a"]
    sums = await house.client.get(
        http.TaskSummariesAnswer, "/api/task", {"summary": True, "aggregate_by_workflow": True}
    )
    assert [(one.user, one.pool, one.gpu, one.memory) for one in sums.summaries] == [("ann", "default", 2, 8.0)]
    by_workflow = await house.client.get(http.WorkflowTaskSummariesAnswer, "/api/task", {"aggregate_by_workflow": True})
    assert [(one.workflow_id, one.cpu) for one in by_workflow.summaries] == [("w-1", 4)]
    one = await house.client.get(http.TaskAnswer, "/api/workflow/w-1/task/a")
    assert (one.workflow_id, one.task_name, one.node, one.cpu, one.gpu) == ("w-1", "a", "g1", 2, 1)


async def test_pools_say_whether_they_can_be_used(house: House) -> None:
    pools = (await house.client.get(http.PoolsAnswer, "/api/pool")).pools
    assert {name: pool.status for name, pool in pools.items()} == {
        "default": "ONLINE",
        "far": "OFFLINE",
        "spare": "ONLINE",
    }
    assert (pools["default"].default_exec_timeout, pools["default"].max_exec_timeout) == ("5d", "")
    assert pools["spare"].resources.gpu is None
    named = await house.client.get(http.PoolsAnswer, "/api/pool", {"pools": ["spare"], "all_pools": True})
    assert list(named.pools) == ["spare"]


async def test_quotas_are_counted_over_pools_that_share_nodes(house: House) -> None:
    await house.append("w-1", submitted(), *started())
    quota = await house.client.get(http.PoolQuotaAnswer, "/api/pool_quota")
    sets = [[pool.name for pool in one.pools] for one in quota.node_sets]
    assert sets == [["default", "spare"], ["far"]]
    default, spare = quota.node_sets[0].pools
    assert default.resource_usage == http.ResourceUsage("1", "3", "4", "1", "16", "14")
    assert spare.resource_usage == http.ResourceUsage("0", "16", "16", "0", "16", "14")
    assert quota.resource_sum == http.ResourceUsage("1", "19", "20", "1", "16", "14")
    assert spare.resources.gpu == http.GpuQuotaEntry()


async def test_nodes_are_listed_with_what_is_used_and_free(house: House) -> None:
    await house.append("w-1", submitted(), *started())
    every = await house.client.get(http.ResourcesAnswer, "/api/resources")
    assert [(one.hostname, one.resource_type) for one in every.resources] == [
        ("c1.example", "RESERVED"), ("g1", "SHARED"), ("g2", "SHARED"),
    ]  # fmt: skip
    g1 = every.resources[1]
    assert g1.exposed_fields["pool/platform"] == ["default/gpu", "spare/gpu"]
    assert (g1.allocatable_fields["gpu"], g1.usage_fields["gpu"], g1.usage_fields["memory"]) == ("8", "1", "4194304Ki")
    assert g1.platform_available_fields is not None
    assert g1.platform_available_fields["default"]["gpu"]["gpu"] == "7"
    cpu = await house.client.get(http.ResourcesAnswer, "/api/resources", {"pools": ["default"], "platforms": ["cpu"]})
    assert [one.hostname for one in cpu.resources] == ["c1.example"]
    concise = await house.client.get(
        http.ConciseResourcesAnswer, "/api/resources", {"concise": True, "pools": ["default"]}
    )
    assert [(one.platform, one.allocatable_fields["gpu"]) for one in concise.pools] == [("cpu", "0"), ("gpu", "16")]
    one = await house.client.get(http.ResourcesAnswer, "/api/resources/c1.example")
    assert one.resources[0].pool_platform_labels == {"default": ["cpu"]}
    with pytest.raises(RefusedCall) as refused:
        await house.client.call("GET", "/api/resources/none")
    assert (refused.value.status, refused.value.error.error_code) == (404, "NOTFOUND")


async def test_the_profile_starts_at_the_default_pool_and_is_kept(house: House) -> None:
    status, body = await get(house, "/api/profile/settings", **{"x-osmo-roles": "osmo-user"})
    assert (status, body) == (
        200,
        {
            "profile": {"username": "ann", "email_notification": False, "slack_notification": False, "pool": "default"},
            "roles": ["osmo-user"],
            "pools": ["default", "far", "spare"],
            "token": None,
        },
    )
    assert await house.client.call("POST", "/api/profile/settings", body={"pool": "spare"}) == b"null"
    assert await house.client.call("POST", "/api/profile/settings", body={"slack_notification": True}) == b"null"
    mine = await house.client.get(http.ProfileAnswer, "/api/profile/settings")
    assert (mine.profile.pool, mine.profile.slack_notification) == ("spare", True)
    with pytest.raises(RefusedCall) as refused:
        await house.client.call("POST", "/api/profile/settings", body={"pool": "none"})
    assert refused.value.error.code == "pool.unknown"
    with pytest.raises(RefusedCall) as refused:
        await house.client.call("POST", "/api/profile/settings", body={"pool": 1})
    assert refused.value.status == 422


async def test_users_tags_and_plugins(house: House) -> None:
    await house.append("w-1", submitted())
    assert await get(house, "/api/users") == (200, ["ann"])
    assert await get(house, "/api/tag") == (200, {"tags": ["red", "blue"]})
    status, plugins = await get(house, "/api/plugins/configs")
    assert (status, plugins["rsync"]["enabled"]) == (200, False)  # type: ignore[index]


async def test_a_user_name_that_is_none_is_refused(house: House) -> None:
    for name in ("a b", "a*", ">", "x" * 300):
        async with house.session.get("/api/profile/settings", headers={"x-osmo-user": name}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "user.bad_name")


async def test_spec_and_template_are_read_from_the_blobs(house: House) -> None:
    spec, template = await house.connection.blobs.put(b"spec: 1\n"), await house.connection.blobs.put(b"spec: {{n}}\n")
    await house.append("w-1", submitted(spec_blob=spec, template_blob=template))
    await house.append("w-2", submitted("w-2", spec_blob=spec))
    assert await house.client.call("GET", "/api/workflow/w-1/spec") == b"spec: 1\n"
    assert await house.client.call("GET", "/api/workflow/w-1/spec", {"use_template": True}) == b"spec: {{n}}\n"
    assert await house.client.call("GET", "/api/workflow/w-2/spec", {"use_template": True}) == b"spec: 1\n"


async def test_events_are_told_until_the_workflow_is_over(house: House) -> None:
    await house.append("w-1", submitted(), *started())
    await house.append("w-1", *ended(status=TaskStatus.FAILED, code=3))
    lines = [line async for line in house.client.lines("/api/workflow/w-1/events")]
    assert lines[0] == "2026-11-20 11:00:01 [w-1] Submitted: by ann"
    assert "2026-11-20 11:00:10 [t] Placed: on node g1 of b1" in lines
    assert "2026-11-20 11:00:30 [t] Finished: FAILED, exit code 3" in lines
    assert lines[-1] == "2026-11-20 11:00:30 [w-1] Finished: FAILED"
    only = [line async for line in house.client.lines("/api/workflow/w-1/events", {"task_name": "t", "retry_id": 0})]
    assert all("[t]" in line for line in only)
    assert only
