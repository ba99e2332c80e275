"""Object storage through a whole `osmo up` with a real S3-compatible server: data between tasks, URLs of users, and what goes wrong."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.person import Person, ends, person
from tests.installation import Installation, installation
from tests.object_storage import FIRST, ObjectServer, object_server

from osmo_api.client import RefusedCall

ADMIN = {"x-osmo-roles": "osmo-admin"}


@pytest.fixture(scope="module")
def s3() -> Iterator[ObjectServer]:
    with object_server() as server:
        for bucket in ("own", "lake", "locked"):
            server.make_bucket(bucket)
        yield server


@pytest.fixture(scope="module")
def own_keys(s3: ObjectServer) -> dict[str, str]:
    return s3.user("installation", "s3:*")


@pytest.fixture(scope="module")
def up() -> Iterator[Installation]:
    with installation() as one:
        yield one


@pytest.fixture
def signals() -> Iterator[Path]:
    """A folder that tests and tasks see; /tmp is each task's own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


@pytest.fixture
async def ada(up: Installation, s3: ObjectServer, own_keys: dict[str, str]) -> AsyncIterator[Person]:
    """Somebody with keys of her own, where the installation keeps data between tasks in the bucket `own`, whose keys are in a file."""
    keys = up.directory / "own.keys"
    keys.write_text(json.dumps(own_keys))
    credential = {"endpoint": "s3://own/data", "override_url": s3.url, "secret_file": str(keys)}
    async with person(up.url, "ada") as one:
        body = {"configs_dict": {"workflow_data": {"credential": credential}}}
        async with one.http.patch("/api/configs/workflow", json=body, headers=ADMIN) as answer:
            assert answer.status == 200, await answer.text()
        await set_keys(one, "lake", "s3://lake", s3.keys())
        yield one


async def set_keys(somebody: Person, name: str, endpoint: str, keys: dict[str, str]) -> None:
    body = {"data_credential": {"endpoint": endpoint, **keys}}
    async with somebody.http.post(f"/api/credentials/{name}", json=body) as answer:
        assert answer.status == 200, await answer.text()


def spec(name: str, *tasks: dict[str, Any]) -> str:
    return "workflow: " + json.dumps({"name": name, "tasks": [{"image": "i", **task} for task in tasks]})


def bash(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "command": ["bash", "-euc"], "args": [script], **more}


def keys_in(s3: ObjectServer, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.client().list_objects_v2(Bucket=bucket).get("Contents", [])]


async def logs(somebody: Person, name: str) -> str:
    async with somebody.http.get(f"/api/workflow/{name}/logs") as answer:
        return await answer.text()


async def test_data_between_tasks_goes_through_the_installations_bucket(
    ada: Person, s3: ObjectServer, own_keys: dict[str, str]
) -> None:
    name = await ada.submit(
        spec(
            "serial",
            bash(
                "a",
                "mkdir /osmo/data/output/deep; echo from-a > /osmo/data/output/deep/x; cat /osmo/login/config/config.yaml",
            ),
            bash("b", "cat {{input:0}}/deep/x; cp {{input:0}}/deep/x /osmo/data/output/y", inputs=[{"task": "a"}]),
            bash("c", "cat {{input:0}}/y", inputs=[{"task": "b"}]),
        ),
        pool="default",
    )
    assert ends(await ada.over(name)) == dict.fromkeys("abc", ("COMPLETED", 0))
    assert [key for key in keys_in(s3, "own") if name in key] == [f"data/{name}/a/deep/x", f"data/{name}/b/y"]
    text = await logs(ada, name)
    assert "[c] from-a\n" in text
    assert FIRST["access_key"] not in text
    assert own_keys["access_key"] not in text
    assert '"s3://lake"' in text
    assert '"s3://own' not in text


async def test_urls_of_users_go_with_their_own_keys(ada: Person, s3: ObjectServer) -> None:
    s3.client().put_object(Bucket="lake", Key="in/x.txt", Body=b"input!\n")
    s3.client().put_object(Bucket="lake", Key="in/no.bin", Body=b"no")
    name = await ada.submit(
        spec(
            "urls",
            bash(
                "t",
                "ls {{input:0}}; cat {{input:0}}/x.txt {{input:1}}/x.txt; echo out > /osmo/data/output/o; echo 1 > /osmo/run/ckpt; sleep 0.1",
                inputs=[{"url": "s3://lake/in", "regex": ".*txt"}, {"url": "s3://lake/in/x.txt"}],
                outputs=[{"url": "s3://lake/out/{{workflow_id}}"}],
                checkpoint=[
                    {
                        "path": "/osmo/run/ckpt",
                        "url": "s3://lake/kept/{{workflow_id}}",
                        "frequency": "60s",
                        "regex": ".*",
                    }
                ],
            ),
        ),
        pool="default",
    )
    assert ends(await ada.over(name)) == {"t": ("COMPLETED", 0)}
    assert {f"out/{name}/o", f"kept/{name}/ckpt"} <= set(keys_in(s3, "lake"))
    text = await logs(ada, name)
    assert "[t] input!\n" in text
    assert "no.bin" not in text


async def test_a_place_that_cannot_be_used_is_refused_at_submission(
    ada: Person, s3: ObjectServer, up: Installation
) -> None:
    async with person(up.url, "bob") as bob:
        reads = spec("none", bash("t", "true", inputs=[{"url": "s3://lake/x"}]))
        with s3.rights_enforced(), pytest.raises(RefusedCall, match="no DATA credential for s3://lake"):
            await bob.submit(reads, pool="default")
    await set_keys(ada, "gone", "s3://gone", s3.keys())
    writes = spec("gone", bash("t", "true", outputs=[{"url": "s3://gone/x"}]))
    with pytest.raises(RefusedCall, match="there is no such bucket"):
        await ada.submit(writes, pool="default")


async def test_keys_that_lost_their_rights_since_the_submission_end_the_task_before_it_computes(
    ada: Person, s3: ObjectServer, signals: Path
) -> None:
    """2014, as in the reference."""
    await set_keys(ada, "locked", "s3://locked", s3.keys())
    slow = bash("first", f"while [ ! -e {signals}/go ]; do sleep 0.1; done")
    second = bash("second", "echo computing", inputs=[{"task": "first"}], outputs=[{"url": "s3://locked/x"}])
    name = await ada.submit(spec("locked", slow, second), pool="default")
    await set_keys(ada, "locked", "s3://locked", s3.user("only-reads", "s3:ListBucket"))
    with s3.rights_enforced():
        (signals / "go").touch()
        over = await ada.over(name)
    assert ends(over) == {"first": ("COMPLETED", 0), "second": ("FAILED", 2014)}
    text = await logs(ada, name)
    assert "[second] computing" not in text
    assert "access denied" in text


async def test_an_upload_that_is_refused_fails_the_task_whatever_its_command_said(
    ada: Person, s3: ObjectServer, signals: Path
) -> None:
    s3.make_bucket("vanishing")
    await set_keys(ada, "vanishing", "s3://vanishing", s3.keys())
    script = f"echo out > /osmo/data/output/o; touch {signals}/begun; while [ ! -e {signals}/go ]; do sleep 0.1; done"
    name = await ada.submit(spec("vanish", bash("t", script, outputs=[{"url": "s3://vanishing/x"}])), pool="default")
    async with asyncio.timeout(30):
        while not (signals / "begun").exists():
            await asyncio.sleep(0.05)
    s3.client().delete_bucket(Bucket="vanishing")
    (signals / "go").touch()
    assert ends(await ada.over(name)) == {"t": ("FAILED", 2012)}
    assert "there is no such bucket" in await logs(ada, name)
