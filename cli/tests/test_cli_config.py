"""`osmo config` and `osmo pool`, `osmo resource` against a real gateway."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.gateway.tests.gateway_house import POOL, House, ended, open_house, started, submitted

from osmo_cli.commands.config.patches import make_patch
from osmo_domain.config import ConfigSet
from osmo_domain.configuration.patch import merge_patch
from osmo_domain.pool import GpuQuota, Priority
from osmo_eventlog.subjects import config


class Person:
    """Somebody at a command line, logged in to the gateway as ada."""

    def __init__(self, house: House, home: Path) -> None:
        self.house = house
        self.home = home
        self.environ = {**os.environ, "OSMO_CONFIG_FILE_DIR": str(home / "config"), "TZ": "UTC", "HOME": str(home)}

    async def run(self, *arguments: str, code: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "osmo_cli", *arguments, env=self.environ, cwd=self.home,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == code, (out.decode(), err.decode())
        return out.decode()

    def file(self, name: str, value: Any) -> str:
        path = self.home / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return str(path)


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Person]:
    async with open_house() as house:
        someone = Person(house, tmp_path)
        await someone.run("login", house.app.address, "--method", "dev", "--username", "ada")
        yield someone


async def test_a_pool_is_made_shown_changed_and_deleted(person: Person) -> None:
    made = person.file("lab.yaml", "backend: b1\ndefault_platform: p\nplatforms: {p: {node_selector: {kind: gpu}}}\n")
    said = await person.run("config", "update", "POOL", "lab", "-f", made, "-d", "a lab", "-t", "new")
    assert said == "Successfully updated POOL config lab.\n"
    assert json.loads(await person.run("config", "show", "POOL", "lab", "default_platform")) == "p"
    verbose = json.loads(await person.run("config", "show", "POOL", "lab", "platforms", "p", "-v"))
    assert verbose["labels"] == {"kind": "gpu"}

    less = person.file("less.json", {"resources": {"gpu": {"guarantee": 3}}})
    await person.run("config", "update", "POOL", "lab", "-f", less, "-d", "a guarantee")
    pool = person.house.gateway.estate.catalogue.pools["lab"]
    assert (pool.gpu, set(pool.platforms)) == (GpuQuota(guarantee=3), {"p"})

    history = await person.run("config", "history", "POOL", "-n", "lab")
    assert [line.split()[:4] for line in history.splitlines()[2:]] == [
        ["POOL", "lab", "4", "ada"],
        ["POOL", "lab", "5", "ada"],
    ]
    assert "a lab" in history
    assert '+          "guarantee": 3,' in (await person.run("config", "diff", "POOL:4")).splitlines()
    await person.run("config", "delete", "POOL", "lab", "-d", "over")
    assert "There is no lab" in await person.run("config", "show", "POOL", "lab", code=2)
    assert await person.run("config", "rollback", "POOL:4") == "Successfully rolled back POOL to revision 4.\n"
    assert person.house.gateway.estate.catalogue.pools["lab"].gpu is None


async def test_the_editor_sends_what_was_changed_in_it_and_what_was_removed(person: Person) -> None:
    person.environ["EDITOR"] = 'sed -i -e s/\\"max_num_tasks\\".*10000/\\"max_num_tasks\\":12/'
    assert "updated WORKFLOW" in await person.run("config", "update", "WORKFLOW", "-d", "small ones only")
    assert json.loads(await person.run("config", "show", "WORKFLOW", "max_num_tasks")) == 12
    person.environ["EDITOR"] = "true"
    assert await person.run("config", "update", "WORKFLOW", "-d", "nothing") == "Nothing has changed.\n"


async def test_what_the_server_refuses_is_said_with_its_reason_and_kept(person: Person) -> None:
    bad = person.file("bad.json", {"backend": "nowhere"})
    said = await person.run("config", "update", "POOL", "lab", "-f", bad, "-d", "try", code=2)
    assert "Pool lab wants the backend nowhere; there is b1, b2." in said
    assert not (person.home / "pool-lab.yaml").exists(), "it is in a file already"
    person.environ["EDITOR"] = f"cp {bad}"
    said = await person.run("config", "update", "POOL", "lab", "-d", "try", code=2)
    assert "What you wrote is kept in pool-lab.yaml." in said
    assert (person.home / "pool-lab.yaml").read_text() == '{"backend": "nowhere"}'
    assert "--description" in await person.run("config", "update", "POOL", "lab", "-f", bad, code=2)
    assert "JSON nor YAML" in await person.run(
        "config", "update", "POOL", "lab", "-f", person.file("x", "{["), "-d", "x", code=2
    )
    await person.run("config", "show", "PUMPKIN", code=2)
    assert "Name the backend" in await person.run("config", "update", "BACKEND", "-f", bad, "-d", "x", code=2)
    assert "cannot be deleted" in await person.run("config", "delete", "SERVICE", "service", code=2)


async def test_every_type_is_written_and_shown(person: Person) -> None:
    rule = [{"operator": "GT", "left_operand": "{{USER_CPU}}", "right_operand": "0", "assert_message": "cpu"}]
    template = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m-{{WF_GROUP_UUID}}"}}
    test = {"cron_schedule": "0 3 * * 1", "node_conditions": ["Fast"], "common_pod_template": ["default_user"]}
    for kind, name, value in (
        ("RESOURCE_VALIDATION", "some", rule),
        ("GROUP_TEMPLATE", "map", template),
        ("POD_TEMPLATE", "node", {"spec": {"nodeSelector": {"a": "b"}}}),
        ("BACKEND_TEST", "speed", test),
        ("BACKEND", "b2", {"dashboard_url": "https://d"}),
    ):
        await person.run("config", "update", kind, name, "-f", person.file(name, value), "-d", "made")
        shown = json.loads(await person.run("config", "show", kind, name))
        assert shown == value or value.items() <= shown.items()
    await person.run(
        "config", "update", "BACKEND_TEST", "speed", "-f", person.file("t", {"test_timeout": "1m"}), "-d", "m"
    )
    await person.run("config", "set", "ROLE", "osmo-default-pool", "pool", "--field", "default")
    role = json.loads(await person.run("config", "show", "ROLE", "osmo-default-pool", "policies", "0"))
    assert role == {"effect": "Allow", "actions": ["workflow:*"], "resources": ["pool/default"]}
    both = {"some": rule, "more": rule}
    await person.run("config", "update", "RESOURCE_VALIDATION", "-f", person.file("all", both), "-d", "two")
    assert "more" in json.loads(await person.run("config", "show", "RESOURCE_VALIDATION"))
    pools = {"pools": {"extra": {"backend": "b1"}}}
    await person.run("config", "update", "POOL", "-f", person.file("pools", pools), "-d", "one more")
    assert {"default", "extra"} <= set(json.loads(await person.run("config", "show", "POOL")))
    listed = await person.run("config", "list", "--fit-width")
    assert [line.split()[0] for line in listed.splitlines()[2:]] == [
        "WORKFLOW", "BACKEND", "POOL", "POD_TEMPLATE", "GROUP_TEMPLATE", "RESOURCE_VALIDATION", "BACKEND_TEST", "ROLE",
    ]  # fmt: skip


async def test_revisions_are_tagged_and_deleted(person: Person) -> None:
    await person.run("config", "tag", "POOL", "-s", "good", "stable")
    assert "good, stable" in await person.run("config", "history", "POOL", "--tags", "good")
    await person.run("config", "tag", "POOL:3", "-d", "stable")
    found = json.loads(await person.run("config", "history", "POOL", "--order", "desc", "-c", "1", "-t", "json"))
    assert (found["configs"][0]["revision"], found["configs"][0]["tags"]) == (3, ["good"])
    assert "current revision" in await person.run("config", "delete", "POOL:3", code=2)
    assert await person.run("config", "delete", "POOL:1") == "Deleted revision POOL:1.\n"
    assert "no revision POOL:99" in await person.run("config", "show", "POOL:99", code=2)


async def test_the_pool_of_the_faq_shows_quota_usage_and_capacity(person: Person) -> None:
    """Guarantee 4 and 16 GPUs there: 1 of NORMAL and 1 of LOW priority in use; capacity counts once for pools that share nodes."""
    house = person.house
    await house.append("w-1", submitted("w-1"), *started())
    low = submitted("l-1")
    low = msgspec.structs.replace(low, plan=msgspec.structs.replace(low.plan, priority=Priority.LOW))
    await house.append("l-1", low, *started())
    await house.append("o-1", submitted("o-1"), *started(), *ended())
    lines = (await person.run("pool", "list", "-p", "default", "spare")).splitlines()
    assert lines[0].split("   ")[0] == "Pool"
    assert [" ".join(line.split()) for line in (lines[0], *lines[2:])] == [
        "Pool Description Status Quota Used Quota Limit Total Usage Total Capacity",
        "default ONLINE 1 4 2 16",
        "spare ONLINE 0 16 0 16 (shared)",
        lines[1],
        "1 20 2 16",
    ]


async def test_seeds_of_an_earlier_release_are_changed_like_any_pool(person: Person) -> None:
    event = ConfigSet("pool", "old", msgspec.Raw(msgspec.json.encode(msgspec.structs.replace(POOL, name="old"))))
    await person.house._publish(config("pool", "old"), msgspec.json.encode(person.house._commit([event])))
    await person.run("config", "update", "POOL", "old", "-f", person.file("o", {"description": "older"}), "-d", "x")
    pool = person.house.gateway.estate.catalogue.pools["old"]
    assert pool == msgspec.structs.replace(POOL, name="old", description="older")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | st.lists(st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=2), max_size=3)
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from("xyz"), _VALUES), st.dictionaries(st.sampled_from("xyz"), _VALUES))
def test_the_patch_of_the_editor_makes_exactly_what_was_written(old: Any, new: Any) -> None:
    assert merge_patch(old, make_patch(old, new, whole=True)) == new
