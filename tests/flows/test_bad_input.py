"""Bad input of any kind gets a clear error with a stable code, and leaves nothing but what the reference says is kept."""

import io
import json
import re

import aiohttp
import pytest
from tests.flows.bad_specs import BAD_SPECS
from tests.flows.person import Person, spec, task

pytestmark = pytest.mark.xdist_group("osmo-up")

POOL = "/api/pool/simulated/workflow"
GOOD = spec("good", task("a"))
CODE = re.compile(r"[a-z_]+(\.[a-z_]+)+")


async def refusal(answer: aiohttp.ClientResponse) -> dict[str, object]:
    """The body of a 400, whose shape is checked."""
    body = json.loads(await answer.read())
    assert answer.status == 400, body
    assert CODE.fullmatch(body["code"]), body
    assert body["message"]
    assert body["request_id"]
    return dict(body)


async def barrier(ada: Person) -> int:
    """How many workflows are stored: what was appended before this one is visible once this one is."""
    await ada.submit(GOOD)
    return await ada.stored()


@pytest.mark.parametrize("title", BAD_SPECS)
async def test_a_bad_spec_is_refused_with_its_code_and_place(ada: Person, title: str) -> None:
    bad = BAD_SPECS[title]
    async with ada.http.post(POOL, json={"file": bad.text}, params={"validation_only": "true"}) as answer:
        said = await refusal(answer)
    assert (said["error_code"], said["code"]) == (bad.error_code, bad.code), said
    assert (said["line"], said["column"]) == bad.at, said


async def test_only_refusals_that_the_reference_keeps_are_kept(ada: Person) -> None:
    before = await barrier(ada)
    for bad in BAD_SPECS.values():
        async with ada.http.post(POOL, json={"file": bad.text}) as answer:
            await refusal(answer)
    kept = await barrier(ada) - before - 1
    assert kept == sum(bad.row for bad in BAD_SPECS.values())


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/api/pool/nowhere/workflow", {"file": GOOD}, "submit.unknown_pool"),
        (POOL, None, "submit.body_or_workflow_id"),
        (f"{POOL}?workflow_id=good-1", {"file": GOOD}, "submit.body_or_workflow_id"),
        (f"{POOL}?workflow_id=nothing-1", None, "workflow.unknown"),
        (f"{POOL}/nothing-1/restart", None, "workflow.unknown"),
        ("/api/workflow/nothing-1/cancel", None, "workflow.unknown"),
    ],
)
async def test_a_request_for_what_is_not_there_is_refused(ada: Person, path: str, body: object, code: str) -> None:
    async with ada.http.post(path, json=body) if body else ada.http.post(path) as answer:
        assert (await refusal(answer))["code"].split(".")[0] == code.split(".", maxsplit=1)[0]


@pytest.mark.parametrize("part", ["", "/logs", "/events", "/spec", "/error_logs", "/task/a"])
@pytest.mark.parametrize("name", ["nothing-1", "nothing", "%00", "..%2f..", "a" * 500, "x'--", "%F0%9F%A6%86-1"])
async def test_an_unknown_workflow_is_said_to_be_unknown(ada: Person, name: str, part: str) -> None:
    async with ada.http.get(f"{ada.http._base_url}/api/workflow/{name}{part}") as answer:
        assert answer.status in {400, 404}, await answer.text()


WRONG = {
    "/api/workflow": {
        "limit": ["ten", "-1", "1001", "99999999999999999999", "1e3", ""],
        "offset": ["-1", "x"],
        "order": ["UP"],
        "statuses": ["BROKEN"],
        "priority": ["URGENT"],
        "submitted_before": ["yesterday", "2026-13-01"],
        "submitted_after": ["0"],
        "all_users": ["perhaps"],
        "all_pools": ["2"],
        "label": ["= ="],
    },
    "/api/task": {
        "limit": ["ten", "0", "-5"],
        "offset": ["-1"],
        "statuses": ["BROKEN"],
        "started_after": ["soon"],
        "started_before": ["soon"],
        "summary": ["maybe"],
        "aggregate_by_workflow": ["maybe"],
        "priority": ["URGENT"],
    },
    "/api/workflow/good-1": {"verbose": ["perhaps"], "skip_groups": ["perhaps"]},
    "/api/workflow/good-1/logs": {
        "last_n_lines": ["-1", "many"],
        "retry_id": ["first"],
        "query": ["[", "(?P<", "a{9999999}", "(" * 5000, "*"],
        "task_name": ["nobody"],
    },
    "/api/workflow/good-1/events": {"retry_id": ["first"]},
    "/api/workflow/good-1/spec": {"use_template": ["perhaps"]},
    "/api/resources": {"all_pools": ["perhaps"], "concise": ["perhaps"]},
    "/api/pool": {"all_pools": ["perhaps"]},
}


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [(path, name, value) for path, names in WRONG.items() for name, values in names.items() for value in values],
)
async def test_a_parameter_that_makes_no_sense_is_refused(ada: Person, path: str, name: str, value: str) -> None:
    await ada.submit(GOOD)
    async with ada.http.get(path, params={name: value}) as answer:
        body = await answer.read()
        assert answer.status in {400, 422}, (answer.status, body)
    said = json.loads(body)
    if answer.status == 422:
        assert said["detail"][0]["loc"] == ["query", name]
    else:
        assert CODE.fullmatch(said["code"]), said


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"file": 1}',
        b'{"file": null}',
        b'{"fil": "x"}',
        b'{"file": "\xff"}',
        b"\x00",
    ],
)
async def test_a_body_of_the_wrong_shape_is_refused(ada: Person, body: bytes) -> None:
    async with ada.http.post(POOL, data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status in {400, 422}, await answer.text()


async def test_a_body_above_the_limit_is_refused_and_the_connection_lives(ada: Person) -> None:
    body = io.BytesIO(json.dumps({"file": "#" * (41 * 1024 * 1024)}).encode())
    async with ada.http.post(POOL, data=body) as answer:
        assert answer.status in {400, 413}
        assert CODE.fullmatch(json.loads(await answer.read())["code"])
    async with ada.http.get("/api/version") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/api/workflow"), ("PUT", POOL), ("GET", "/api/nothing")])
async def test_an_unknown_way_in_is_no_fault_of_the_server(ada: Person, method: str, path: str) -> None:
    async with ada.http.request(method, path) as answer:
        assert answer.status in {404, 405}
