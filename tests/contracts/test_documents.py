"""proto/openapi.json and proto/asyncapi.json say what is served and sent: nothing is missing, nothing is made up, and every reference leads somewhere."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from tools.asyncapi import asyncapi_text
from tools.channels import CHANNELS
from tools.families import FAMILIES
from tools.gen import grammar

from osmo_eventlog import subjects
from osmo_eventlog.matching import matches, matches_any
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.streams import BUCKETS, STREAMS
from osmo_gateway.app import open_app
from osmo_gateway.http.endpoints import Endpoint
from osmo_gateway.http.openapi import document, document_text
from osmo_gateway.http.openapi_schemas import error_codes
from osmo_gateway.http.openapi_shapes import shapes_of
from osmo_gateway.http.server import make_app
from osmo_gateway.http.table import ENDPOINTS
from osmo_gateway.settings import Settings
from osmo_service.clock import SystemClock
from osmo_views.memory import MemoryWorkflowViews

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
OPENAPI: dict[str, Any] = json.loads((PROTO / "openapi.json").read_text())
ASYNCAPI: dict[str, Any] = json.loads((PROTO / "asyncapi.json").read_text())
INSIDE_OTHERS = {"plan", "pool", "backend", "workflow-settings"}
"""Families that never travel alone."""

SAMPLES = [path for path in sorted((PROTO / "golden").glob("*/*.json")) if path.parent.name not in INSIDE_OTHERS]


# HTTP


@pytest.fixture
async def served() -> set[tuple[str, str]]:
    """Method and path of every route of a real gateway, HEAD aside, which every GET has."""
    connection = MemoryServer(SystemClock(), random.Random(1)).connect("gateway")
    async with open_app(Settings(), connection, SystemClock(), random.Random(2), MemoryWorkflowViews()) as app:
        assert app.gateway is not None
        router = make_app(app.gateway, dev=True, rng=random.Random(3)).router
        return {(route.method, path_of(route)) for route in router.routes() if route.method != "HEAD"}


def path_of(route: web.AbstractRoute) -> str:
    """As it was declared: with the words that a part is limited to."""
    assert route.resource is not None
    found = route.resource.get_info()
    if "path" in found:
        return found["path"]
    limited = dict(re.findall(r"\(\?P<(\w+)>([\w|]+)\)", found["pattern"].pattern))
    return re.sub(
        r"\{(\w+)\}",
        lambda part: f"{{{part[1]}{':' + limited[part[1]] if part[1] in limited else ''}}}",
        found["formatter"],
    )


async def test_every_route_is_described_and_nothing_else_is(served: set[tuple[str, str]]) -> None:
    described = {(method.upper(), path) for path, item in OPENAPI["paths"].items() for method in item}
    assert described == {(method, shape.path) for method, path in served for shape in shapes_of(path)}


def test_the_document_is_valid_openapi() -> None:
    validate(OPENAPI)


def test_a_route_that_is_added_is_described() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        """Something new."""
        return web.Response()

    more = document(
        [*ENDPOINTS, Endpoint("GET", "/api/{kind:new|newer}", handler, None, None, (web.StreamResponse,))], []
    )
    assert set(more["paths"]) - set(OPENAPI["paths"]) == {"/api/new", "/api/newer"}


@pytest.mark.parametrize("one", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_has_a_sentence(one: Endpoint) -> None:
    assert re.fullmatch(r"[A-Z`].*\.", (one.handler.__doc__ or "").strip().partition("\n")[0])


def test_parameters_have_the_types_defaults_and_bounds_that_are_parsed() -> None:
    listed = {one["name"]: one for one in OPENAPI["paths"]["/api/workflow"]["get"]["parameters"]}
    assert listed["limit"]["schema"] == {"type": "integer", "minimum": 0, "maximum": 1000, "default": 20}
    assert listed["order"]["schema"] == {"$ref": "#/components/schemas/Order", "default": "ASC"}
    assert listed["statuses"]["schema"]["items"] == {"$ref": "#/components/schemas/WorkflowStatus"}
    created = OPENAPI["paths"]["/api/app/user/{name}"]["post"]
    assert [one["name"] for one in created["parameters"] if one["required"]] == ["name", "description"]
    assert created["requestBody"] == {"required": True, "content": {"application/json": {"schema": {"type": "string"}}}}


def test_text_is_described_with_its_content_type() -> None:
    def types(path: str) -> set[str]:
        return set(OPENAPI["paths"][path]["get"]["responses"]["200"]["content"])

    assert types("/api/workflow/{workflow}/spec") == {"text/plain; charset=utf-8"}
    assert types("/api/workflow/{workflow}/logs") == {"text/plain; charset=us-ascii"}
    assert types("/api/workflow/{workflow}/error_logs") == {"text/plain; charset=utf-8", "text/plain; charset=us-ascii"}


def test_refusals_have_their_stable_codes() -> None:
    refusal = OPENAPI["components"]["schemas"]["ErrorAnswer"]["properties"]
    assert refusal["code"]["x-codes"] == error_codes()
    assert "NOTFOUND" in refusal["error_code"]["enum"]
    known = {
        "data.no_bucket",
        "data.no_storage",
        "spec.unknown_key",
        "workflow.unknown",
        "config.in_use",
        "config.unknown_*",
        "backend.token_revoked",
        "list.limit",
        "yaml.alias",
    }
    assert known <= set(error_codes())


# NATS and WebSockets


def test_every_stream_is_described() -> None:
    described = {
        channel["x-stream"]["name"]: channel["x-stream"]
        for channel in ASYNCAPI["channels"].values()
        if "x-stream" in channel
    }
    assert set(described) == {spec.name for spec in (*STREAMS, *BUCKETS)}
    for spec in (*STREAMS, *BUCKETS):
        assert all(any(matches(pattern, subject) for subject in addresses()) for pattern in spec.subjects), spec


def test_every_subject_that_can_be_made_is_described() -> None:
    constants = [value for value in vars(subjects).values() if str(value).startswith(("osmo.", "$SYS."))]
    made = [re.sub(r"<\w+>", "_", subject) for _, subject, _ in grammar()]
    lacking = [
        one for one in (*made, *constants) if not re.search(r"[*>]", one) and not any(map(fits(one), patterns()))
    ]
    assert lacking == ["osmo.config._._"], "its kinds stand one by one"


def addresses() -> list[str]:
    return [re.sub(r"\{\w+\}", "_", one.address) for one in CHANNELS]


def patterns() -> list[str]:
    return [re.sub(r"\{\w+\}", "*", one.address) for one in CHANNELS]


def fits(subject: str) -> Any:
    return lambda pattern: matches(pattern, subject)


def test_what_is_described_is_kept_by_a_stream_or_asked() -> None:
    kept = {
        one.name
        for one in CHANNELS
        if any(matches_any(spec.subjects, subject_of(one)) for spec in (*STREAMS, *BUCKETS))
    }
    assert {one.name for one in CHANNELS} == kept | {one.name for one in CHANNELS if one.answered_with}
    assert not kept & {one.name for one in CHANNELS if one.answered_with}


def subject_of(one: Any) -> str:
    return re.sub(r"\{\w+\}", "_", one.address)


def test_every_message_of_the_wire_travels_somewhere() -> None:
    described = {name.partition(".")[0] for name in ASYNCAPI["components"]["messages"]}
    assert {family.name for family in FAMILIES} - INSIDE_OTHERS <= described


def test_messages_of_operations_are_those_of_their_channels() -> None:
    for name, one in ASYNCAPI["operations"].items():
        for part in (one, one.get("reply")):
            if part is not None:
                channel = part["channel"]["$ref"]
                assert part["messages"], name
                assert all(each["$ref"].startswith(f"{channel}/messages/") for each in part["messages"]), name


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden_samples_are_what_is_described(path: Path) -> None:
    family, messages = path.parent.name, ASYNCAPI["components"]["messages"]
    message = messages.get(family) or messages[f"{family}.{path.stem}"]
    schema = {**message["payload"], "components": ASYNCAPI["components"]}
    Draft202012Validator(schema).validate(json.loads(path.read_text()))


# Both


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from [value] if key == "$ref" and isinstance(value, str) else references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_the_same_code_makes_the_same_documents() -> None:
    texts = [document_text(ENDPOINTS, error_codes()) for _ in range(2)]
    assert texts == [(PROTO / "openapi.json").read_text()] * 2
    assert asyncapi_text() == (PROTO / "asyncapi.json").read_text()
