"""Real answers and real messages are what proto/openapi.json and proto/asyncapi.json say they are."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.documented import Answers, Channels, answers_of, overheard, served_subjects
from tests.flows.house import open_house
from tests.flows.person import OVER_WITHIN_S, Person, person, spec, task
from tests.installation import Installation

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"


@pytest.fixture
async def bea(up: Installation) -> AsyncIterator[Person]:
    """Nobody else's tests are changed by what she sets in her profile."""
    async with person(up.url, "bea") as one:
        yield one


@pytest.fixture
async def answers(bea: Person) -> Answers:
    return await answers_of(bea.http)


async def test_the_gateway_serves_the_document_of_the_repository(answers: Answers) -> None:
    assert answers.document == json.loads((PROTO / "openapi.json").read_text())


async def test_everything_that_can_be_read_is_as_described(bea: Person, answers: Answers) -> None:
    """Every GET of the document, of things that are there."""
    workflow = await bea.submit(spec("documented", task("t")))
    await bea.over(workflow)
    await keep_one_of_each(answers)
    nodes = json.loads(await answers.ask("GET", "/api/resources", query={"all_pools": "true"}))["resources"]
    parts = {"workflow": workflow, "task": "t", "pool": "simulated", "node": nodes[0]["hostname"]}
    platforms = json.loads(await answers.ask("GET", "/api/configs/pool/{pool}/platform", **parts))
    names = {
        "/api/configs/pool/{pool}/platform/": next(iter(platforms)),
        "/api/configs/pool/": "simulated",
        "/api/configs/backend/": "default",
        "/api/backend/": "default",
        "/": "documented",
    }
    everything = {"all_pools": "true"}
    revisions = {"config_type": "ROLE", "first_revision": "1", "second_revision": "1"}
    queries = {"/api/workflow": everything, "/api/task": everything, "/api/configs/diff": revisions}
    for path in [path for path, item in answers.document["paths"].items() if "get" in item]:
        name = next(name for start, name in names.items() if path.startswith(start))
        await answers.ask("GET", path, query=queries.get(path), name=name, **parts)


async def keep_one_of_each(answers: Answers) -> None:
    """An app, and a config object of every type that has names, each called `documented`."""
    app = {"query": {"description": "d"}, "body": spec("d", task("t"))}
    await answers.ask("POST", "/api/app/user/{name}", name="documented", **app)
    assertion = {"operator": "LE", "left_operand": "{{USER_CPU}}", "right_operand": "{{K8_CPU}}", "assert_message": "x"}
    objects = {
        "role": {"policies": [{"actions": ["workflow:Read"]}]},
        "pod_template": {"spec": {}},
        "group_template": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}},
        "resource_validation": [assertion],
        "backend_test": {
            "cron_schedule": "0 3 * * 1",
            "node_conditions": ["works"],
            "common_pod_template": ["documented"],
        },
    }
    for kind, value in objects.items():
        await answers.ask("PUT", f"/api/configs/{kind}/{{name}}", name="documented", body={"configs": value})


async def test_the_same_in_its_other_forms_is_as_described(bea: Person, answers: Answers) -> None:
    running = await bea.submit(spec("waits", task("t", command=["sleep", "60"])))
    for query in ({"verbose": "true"}, {"skip_groups": "true"}):
        await answers.ask("GET", "/api/workflow/{workflow}", workflow=running, query=query)
    everything = {"all_users": "true", "all_pools": "true"}
    for query in ({"summary": "true"}, {"aggregate_by_workflow": "true"}, {"order": "DESC"}):
        await answers.ask("GET", "/api/task", query={**everything, **query})
    await answers.ask("GET", "/api/resources", query={"all_pools": "true", "concise": "true"})
    await answers.ask("GET", "/api/configs/pool", query={"verbose": "true"})
    await answers.ask("POST", "/api/workflow/{workflow}/cancel", workflow=running, query={"force": "true"})


async def test_a_group_that_waits_has_a_reason_as_described(bea: Person, answers: Answers) -> None:
    """Three tasks that each want all GPUs of a node, and two nodes."""
    tasks = [task(f"t{number}", SIM_SECONDS=60) for number in range(3)]
    name = await bea.submit(spec("full", *tasks, resources={"default": {"gpu": 8, "cpu": 1}}))
    async with asyncio.timeout(OVER_WITHIN_S):
        while not (
            groups := json.loads(await answers.ask("GET", "/api/workflow/{workflow}/why", workflow=name))["groups"]
        ):
            await asyncio.sleep(0.02)
    assert groups[0]["reason"]["message"]
    shown = json.loads(await answers.ask("GET", "/api/workflow/{workflow}", workflow=name))
    assert any("pending_reason" in group for group in shown["groups"])
    await answers.ask("POST", "/api/workflow/{workflow}/cancel", workflow=name)


async def test_what_is_changed_is_answered_as_described(bea: Person, answers: Answers) -> None:
    body = {"file": spec("answers", task("t"))}
    for query in ({}, {"dry_run": "true"}, {"validation_only": "true"}):
        await answers.ask("POST", "/api/pool/{pool}/workflow", pool="simulated", body=body, query=query)
    await answers.ask("POST", "/api/profile/settings", body={"pool": "simulated"})
    secret = {"generic_credential": {"credential": {"key": "value"}}}
    await answers.ask("POST", "/api/credentials/{name}", name="documented", body=secret)
    await answers.ask("DELETE", "/api/credentials/{name}", name="documented")
    await answers.ask(
        "POST", "/api/app/user/{name}", name="changes", query={"description": "d"}, body=spec("d", task("t"))
    )
    await answers.ask("PATCH", "/api/app/user/{name}", name="changes", body=spec("e", task("t")))
    await answers.ask("POST", "/api/app/user/{name}/rename", name="changes", body="changed")
    await answers.ask("DELETE", "/api/app/user/{name}", name="changed", query={"all_versions": "true"})


async def test_refusals_are_as_described(answers: Answers) -> None:
    codes = answers.document["components"]["schemas"]["ErrorAnswer"]["properties"]["code"]["x-codes"]
    for method, path, body in (
        ("GET", "/api/workflow/{workflow}", None),
        ("GET", "/api/app/user/{name}", None),
        ("GET", "/api/configs/role/{name}", None),
        ("POST", "/api/pool/{pool}/workflow", {"file": "workflow: [1"}),
        ("POST", "/api/workflow/{workflow}/cancel", None),
    ):
        said = await answers.ask(method, path, "4XX", body=body, workflow="nobody-1", name="nobody", pool="simulated")
        assert json.loads(said)["code"] in codes
    await answers.ask("POST", "/api/pool/{pool}/workflow", "422", pool="simulated", body={"flie": ""})


async def test_parameters_are_held_to_what_is_described(bea: Person, answers: Answers) -> None:
    """What is no value of its type is misshapen, and what is out of its bounds is refused, for every parameter of a GET."""
    workflow = await bea.submit(spec("bounds", task("t")))
    tried = 0
    for path, item in answers.document["paths"].items():
        for parameter in item.get("get", {}).get("parameters", []):
            for status, wrong in wrong_values(answers, parameter) if parameter["in"] == "query" else ():
                parts = {"workflow": workflow, "name": "nobody", "pool": "nobody", "node": "n", "task": "t"}
                required = {
                    one["name"]: "x" for one in item["get"]["parameters"] if one["in"] == "query" and one["required"]
                }
                await answers.ask("GET", path, status, query={**required, parameter["name"]: wrong}, **parts)
                tried += 1
    assert tried > 40


def needed(parameters: list[dict[str, Any]]) -> dict[str, str]:
    return {one["name"]: "x" for one in parameters if one["in"] == "query" and one["required"]}


def wrong_values(answers: Answers, parameter: dict[str, Any]) -> list[tuple[str, str]]:
    schema = answers.resolved(parameter["schema"])
    schema = answers.resolved(schema["items"]) if schema.get("type") == "array" else schema
    if schema.get("type") == "boolean" or "enum" in schema or "date and time" in parameter.get("description", ""):
        return [("422", "neither")]
    if schema.get("type") != "integer":
        return []
    bounds = [schema["minimum"] - 1, schema["maximum"] + 1]
    return [("422", "1.5"), *(("422" if abs(one) > 2**31 - 1 else "4XX", str(one)) for one in bounds)]


async def test_every_message_of_a_workflow_is_as_described(nats_url: str, database_url: str, tmp_path: Path) -> None:
    """From its submission to its end, with questions about it, and a refused one."""
    channels = Channels(json.loads((PROTO / "asyncapi.json").read_text()))
    async with (
        open_house(nats_url, database_url, tmp_path) as house,
        overheard(nats_url) as replies,
        person(house.url, "bea") as bea,
    ):
        name = await bea.submit((ROOT / "examples/pipeline.yaml").read_text(), pool="default")
        await bea.http.get(f"/api/workflow/{name}/why")
        assert (await bea.over(name)).status == "COMPLETED"
        await bea.http.post(f"/api/workflow/{name}/cancel")
        await bea.http.get("/api/credentials")
        heard = list(house.tap.heard)
        questions = {
            "osmo.rpc.submit",
            "osmo.rpc.data",
            "osmo.rpc.scheduler.0",
            "osmo.rpc.agent.*",
            "osmo.rpc.window.*",
        }
        for subject in await served_subjects(nats_url, questions):
            assert f"{channels.name(subject)}_reply" in channels.document["channels"]
    for one in heard:
        channels.check(channels.name(one.subject), one.data)
    families = {one.subject.split(".")[1] for one in heard}
    assert families >= {"workflow", "report", "cluster", "command", "log", "config", "name", "rpc", "lease"}
    for subject, data in replies.answered:
        channels.check(f"{channels.name(subject)}_reply", data)
    assert {subject for subject, _ in replies.answered} >= {"osmo.rpc.submit", "osmo.rpc.data", "osmo.rpc.scheduler.0"}
