"""Apps over HTTP; workflows that came from them; labels, limits and places that the gateway adds to what submit says."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from services.gateway.tests.gateway_house import House, SetClock, open_house, submitted

from osmo_domain.config import ConfigSet
from osmo_domain.errors import Rejected
from osmo_domain.label_policy import Enforcement, LabelPolicy, LabelsConfig
from osmo_domain.pool import UserLimits, WorkflowSettings
from osmo_domain.requests import Refused, SubmitRequest, Submitted
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.subjects import config
from osmo_gateway.apps import AppRegistry

SPEC = "workflow:\n  name: w\n  tasks: []\n"
APP = "/api/app/user/train"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


async def ask(
    house: House, method: str, path: str, body: object = None, user: str = "ann", **query: Any
) -> tuple[int, Any]:
    data = json.dumps(body) if body is not None else None
    headers = {"x-osmo-user": user, "Content-Type": "application/json"}
    async with house.session.request(method, path, params=query, data=data, headers=headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if "json" in answer.content_type else text


@pytest.fixture
async def app(house: House) -> str:
    """`train` of ann with two versions; its uuid."""
    assert await ask(house, "POST", APP, SPEC, description="Trains.") == (200, None)
    status, updated = await ask(house, "PATCH", APP, SPEC + "# 2\n", user="bob")
    assert (status, updated["version"], updated["created_by"], updated["name"]) == (200, 2, "bob", "train")
    return str(updated["uuid"])


async def test_an_app_is_told_with_its_versions(house: House, app: str) -> None:
    status, found = await ask(house, "GET", APP)
    assert status == 200
    assert found == {
        "uuid": app,
        "name": "train",
        "description": "Trains.",
        "created_date": "2026-11-20T11:00:00",
        "owner": "ann",
        "versions": [
            {"version": 1, "created_by": "ann", "created_date": "2026-11-20T11:00:00", "status": "READY"},
            {"version": 2, "created_by": "bob", "created_date": "2026-11-20T11:00:00", "status": "READY"},
        ],
    }
    assert [one["version"] for one in (await ask(house, "GET", APP, limit=1))[1]["versions"]] == [2]
    assert [one["version"] for one in (await ask(house, "GET", APP, order="DESC"))[1]["versions"]] == [2, 1]
    assert [one["version"] for one in (await ask(house, "GET", APP, version=1))[1]["versions"]] == [1]


async def test_the_text_of_a_version_is_as_it_came(house: House, app: str) -> None:
    del app
    assert await ask(house, "GET", f"{APP}/spec") == (200, SPEC + "# 2\n")
    assert await ask(house, "GET", f"{APP}/spec", version=1) == (200, SPEC)


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "status", "code"),
    [
        ("POST", APP, SPEC, {"description": "x"}, 400, "app.exists"),
        ("POST", "/api/app/user/new", SPEC, {}, 422, None),
        ("POST", "/api/app/user/new", None, {"description": "x"}, 422, None),
        ("POST", "/api/app/user/new", {"a": 1}, {"description": "x"}, 422, None),
        ("POST", "/api/app/user/new", "no workflow", {"description": "x"}, 400, "spec.no_workflow"),
        ("POST", "/api/app/user/a%20b", SPEC, {"description": "x"}, 400, "app.name"),
        ("GET", "/api/app/user/other", None, {}, 400, "app.unknown"),
        ("GET", f"{APP}/spec", None, {"version": 9}, 400, "app.no_version"),
        ("GET", APP, None, {"version": 9}, 400, "app.no_version"),
        ("GET", "/api/app", None, {"limit": 1001}, 400, "list.limit"),
        ("GET", "/api/app", None, {"offset": -1}, 400, "list.offset"),
        ("DELETE", APP, None, {}, 400, "app.what"),
        ("DELETE", APP, None, {"version": 1, "all_versions": "True"}, 400, "app.what"),
        ("DELETE", APP, None, {"version": 9}, 400, "app.no_version"),
        ("POST", f"{APP}/rename", "a/b", {}, 400, "app.name"),
        ("GET", "/api/workflow", None, {"app": "train:x"}, 400, "app.name"),
        ("GET", "/api/workflow", None, {"app": "other"}, 400, "app.unknown"),
    ],
)
async def test_what_cannot_be_is_refused(
    house: House, app: str, method: str, path: str, body: object, query: dict[str, Any], status: int, code: str | None
) -> None:
    del app
    found, answer = await ask(house, method, path, body, **query)
    assert found == status
    assert code is None or answer["code"] == code


async def test_only_the_owner_deletes_and_renames(house: House, app: str) -> None:
    del app
    for method, path, body, query in (("DELETE", APP, None, {"version": 1}), ("POST", f"{APP}/rename", "mine", {})):
        status, answer = await ask(house, method, path, body, user="bob", **query)
        assert (status, answer["code"]) == (400, "app.not_owner")
    assert await ask(house, "DELETE", APP, version=2) == (200, {"versions": [2]})
    assert await ask(house, "GET", f"{APP}/spec") == (200, SPEC)
    assert (await ask(house, "GET", APP, version=2))[1]["versions"][0]["status"] == "DELETED"
    assert await ask(house, "POST", f"{APP}/rename", "training") == (200, "training")
    assert (await ask(house, "GET", APP))[0] == 400
    assert await ask(house, "DELETE", "/api/app/user/training", all_versions="True") == (200, {"versions": [1]})
    assert (await ask(house, "GET", "/api/app", all_users="True"))[1]["apps"] == []


async def test_the_list_shows_what_one_had_a_hand_in(house: House, app: str) -> None:
    house.clock.at = house.clock.at.replace(minute=5)
    await ask(house, "POST", "/api/app/user/other", SPEC, user="bob", description="Else.")

    async def names(user: str, **query: Any) -> list[str]:
        status, answer = await ask(house, "GET", "/api/app", user=user, **query)
        assert status == 200
        return [one["name"] for one in answer["apps"]]

    assert await names("ann") == ["train"]
    assert await names("bob") == ["train", "other"]
    assert await names("bob", order="DESC") == ["other", "train"]
    assert await names("bob", limit=1) == ["other"]
    assert await names("eve") == []
    assert await names("eve", all_users="True", name="ther") == ["other"]
    assert await names("eve", users="ann") == ["train"]
    await house.append("w-1", submitted(user="eve", app_uuid=app, app_version=2))
    assert await names("eve") == ["train"]


async def test_workflows_say_which_app_they_came_from(house: House, app: str) -> None:
    await house.append("w-1", submitted(app_uuid=app, app_version=2))
    await house.append("w-2", submitted("w-2", app_uuid=app, app_version=1))
    await house.append("w-3", submitted("w-3"))
    _, page = await ask(house, "GET", "/api/workflow", app="train", all_pools="True")
    assert [(one["name"], one["app_name"], one["app_owner"], one["app_version"]) for one in page["workflows"]] == [
        ("w-1", "train", "ann", 2),
        ("w-2", "train", "ann", 1),
    ]
    _, page = await ask(house, "GET", "/api/workflow", app="train:1", all_pools="True")
    assert [one["name"] for one in page["workflows"]] == ["w-2"]
    await ask(house, "POST", f"{APP}/rename", "training")
    _, one = await ask(house, "GET", "/api/workflow/w-1")
    assert (one["app_name"], one["app_owner"], one["app_version"]) == ("training", "ann", 2)


async def test_a_submission_names_an_app_that_is_there(house: House, app: str) -> None:
    house.answer = lambda _: Submitted(name="w-9")
    path, body = "/api/pool/default/workflow", {"file": SPEC}
    assert (await ask(house, "POST", path, body, app_uuid=app, app_version=2))[0] == 200
    request = house.asked[-1]
    assert isinstance(request, SubmitRequest)
    assert (request.app_uuid, request.app_version) == (app, 2)
    for uuid, version in ((app, 3), ("f" * 32, 1)):
        status, answer = await ask(house, "POST", path, body, app_uuid=uuid, app_version=version)
        assert (status, answer["code"].split(".")[0]) == (400, "app")


async def test_two_gateways_give_a_name_to_one_app() -> None:
    clock = SetClock()
    server = MemoryServer(clock, random.Random(1))
    registries = []
    tasks = []
    for number in range(2):
        connection = server.connect(f"gateway-{number}")
        registries.append(AppRegistry(connection.log, connection.blobs, clock, random.Random(number)))
        tasks.append(asyncio.create_task(registries[-1].follow()))
    await asyncio.gather(*(registry.known.wait() for registry in registries))

    async def create(number: int, name: str) -> str:
        try:
            return (await registries[number % 2].create(name, "d", SPEC, f"user-{number}")).uuid
        except Rejected as refusal:
            return refusal.code

    made = await asyncio.gather(*(create(number, f"app-{number // 4}") for number in range(20)))
    assert made.count("app.exists") == 15
    await registries[0].update("app-0", SPEC, "x")
    await asyncio.gather(*(registries[number % 2].update("app-0", SPEC, "x") for number in range(10)))
    async with asyncio.timeout(5):
        while registries[0].apps != registries[1].apps:
            await asyncio.sleep(0.001)
    assert [one.version for one in registries[0].apps.find("app-0").versions] == list(range(1, 13))
    for task in tasks:
        task.cancel()


async def set_settings(house: House, **settings: Any) -> None:
    value = msgspec.Raw(msgspec.json.encode(WorkflowSettings(**settings)))
    await house._publish(
        config("workflow", "workflow"), msgspec.json.encode(house._commit([ConfigSet("workflow", "workflow", value)]))
    )
    async with asyncio.timeout(5):
        while house.gateway.estate.catalogue.workflow != WorkflowSettings(**settings):
            await asyncio.sleep(0.001)


async def test_queries_warn_by_todays_policy(house: House) -> None:
    await house.append("w-1", submitted())
    assert (await ask(house, "GET", "/api/workflow/w-1"))[1]["warnings"] == []
    await set_settings(house, labels_config=LabelsConfig((LabelPolicy("team", (), Enforcement.WARN),)))
    assert (await ask(house, "GET", "/api/workflow/w-1"))[1]["warnings"] == ["The label team is missing."]


async def test_what_a_user_has_alive_is_counted_where_it_is_limited(house: House) -> None:
    house.answer = lambda _: Submitted(name="w-9")
    await house.append("w-1", submitted(tasks=("a", "b")))
    path, body = "/api/pool/default/workflow", {"file": SPEC}

    async def counts(**query: Any) -> tuple[int, int]:
        await ask(house, "POST", path, body, **query)
        request = house.asked[-1]
        assert isinstance(request, SubmitRequest)
        return request.alive_workflows, request.alive_tasks

    assert await counts() == (0, 0)
    await set_settings(house, user_workflow_limits=UserLimits(max_num_workflows=9))
    assert await counts() == (1, 2)
    assert await counts(validation_only="True") == (0, 0)


@pytest.mark.parametrize(
    ("line", "column", "said"), [(None, None, ""), (3, None, " (line 3)"), (3, 5, " (line 3, column 5)")]
)
async def test_messages_say_the_place(house: House, line: int | None, column: int | None, said: str) -> None:
    house.answer = lambda _: Refused("spec.type", "No.", "USAGE", line=line, column=column)
    status, answer = await ask(house, "POST", "/api/pool/default/workflow", {"file": SPEC})
    assert (status, answer["message"], answer["line"], answer["column"]) == (400, f"No.{said}", line, column)
