"""Keys of storage inside a pod: whose are used for what, and where they may be seen."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.object_storage import BadLine, ObjectServer, object_server

from osmo_runtime.ctrl.data_access import check_access
from osmo_runtime.ctrl.failure import CtrlFailure
from osmo_runtime.ctrl.transfers import bring_inputs, take_outputs
from osmo_runtime.pod import PodInput, PodOutput
from osmo_runtime.pod_secrets import PodSecrets
from osmo_runtime.user_keys import read_user_keys, write_user_keys
from osmo_storage import StorageAccess

RNG = random.Random(1)


@pytest.fixture(scope="module")
def s3() -> Iterator[ObjectServer]:
    with object_server() as server:
        for bucket in ("own", "users"):
            server.make_bucket(bucket)
        yield server


@pytest.fixture(scope="module")
def secrets(s3: ObjectServer) -> PodSecrets:
    users, own = s3.user("user", "s3:*"), s3.user("own", "s3:*")
    return PodSecrets(storage={"s3://users": users}, own_storage={"s3://own": own})


def test_no_key_is_shown_or_gets_into_a_log() -> None:
    keys = {"access_key_id": "who", "access_key": "storage-secret"}
    own = {"access_key_id": "us", "access_key": "own-secret"}
    secrets = PodSecrets(storage={"s3://a": keys}, own_storage={"s3://b": own}, registries=({"auth": "login-secret"},))
    assert sorted(secrets.values()) == ["own-secret", "storage-secret"], "logins never get into a pod"
    assert "secret'" not in repr(secrets)


def test_the_file_in_a_task_holds_the_users_keys_and_is_its_owners(tmp_path: Path) -> None:
    keys = {"s3://a": {"access_key_id": "who", "access_key": "secret"}}
    write_user_keys(tmp_path, {})
    assert list(tmp_path.iterdir()) == []
    write_user_keys(tmp_path, keys)
    assert (tmp_path / "config.yaml").stat().st_mode & 0o777 == 0o600
    assert read_user_keys(tmp_path) == keys


@pytest.mark.parametrize("text", ["", "auth:\n  data: {}\n", "[]", '{"auth": 1}', '{"auth": {"data": {"s3://a": []}}}'])
def test_a_file_that_somebody_made_something_else_of_holds_no_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    assert read_user_keys(tmp_path) == {}
    assert read_user_keys(tmp_path / "missing") == {}


async def test_data_of_tasks_goes_with_the_installations_keys_and_urls_with_the_users(
    s3: ObjectServer, secrets: PodSecrets, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").write_text("x")
    outputs = (PodOutput("s3://own/wf/a", intermediate=True), PodOutput("s3://users/out"))
    inputs = (PodInput("s3://own/wf/a", task="a"), PodInput("s3://users/out"))
    said: list[str] = []
    with s3.rights_enforced():
        await take_outputs(outputs, tmp_path / "out", said.append, RNG, secrets)
        await bring_inputs(inputs, tmp_path / "in", said.append, RNG, secrets)
        for wrong, code in (
            (
                bring_inputs(
                    (PodInput("s3://own/wf/a"),),
                    tmp_path / "no",
                    said.append,
                    RNG,
                    PodSecrets(storage=nobody(s3, "own")),
                ),
                10,
            ),
            (
                take_outputs(
                    (PodOutput("s3://users/x"),),
                    tmp_path / "out",
                    said.append,
                    RNG,
                    PodSecrets(storage=nobody(s3, "users")),
                ),
                12,
            ),
        ):
            with pytest.raises(CtrlFailure, match="does not know the access_key_id") as failed:
                await wrong
            assert failed.value.code == code
    assert [path.read_text() for path in sorted((tmp_path / "in").rglob("x"))] == ["x", "x"]
    assert not [line for line in said if line.startswith("Attempt")], "what cannot pass is not tried again"
    assert json.dumps(said).count("access_key") == 0


def nobody(server: ObjectServer, bucket: str) -> dict[str, dict[str, str]]:
    return {f"s3://{bucket}": server.keys(access_key_id="NOBODYS-KEY-ID")}


async def test_access_is_asked_for_only_where_the_user_named_a_server(
    s3: ObjectServer, secrets: PodSecrets, tmp_path: Path
) -> None:
    inputs = (PodInput("s3://gone/wf/a", task="a"), PodInput(f"file://{tmp_path}/x"), PodInput("s3://users/x"))
    outputs = (PodOutput("s3://gone/wf/b", intermediate=True), PodOutput("s3://users/y"))
    with s3.rights_enforced():
        await check_access(inputs, outputs, StorageAccess(secrets.storage), print, RNG)
        with pytest.raises(CtrlFailure, match="access to s3://users/y is refused") as refused:
            await check_access((), outputs, StorageAccess(nobody(s3, "users")), print, RNG)
    assert refused.value.code == 14
    with pytest.raises(CtrlFailure) as bad:
        await check_access((PodInput("gs://x/y"),), (), StorageAccess(), print, RNG)
    assert bad.value.code == 30


async def test_a_server_that_cannot_be_asked_is_asked_three_times(s3: ObjectServer) -> None:
    said: list[str] = []
    async with BadLine(s3.port) as line:
        line.open = False
        keys = {"s3://users": s3.keys(override_url=line.url)}
        with pytest.raises(CtrlFailure, match="access cannot be checked") as unknown:
            await check_access((PodInput("s3://users/x"),), (), StorageAccess(keys), said.append, RNG)
    assert unknown.value.code == 13
    assert len(said) == 2
