"""What the data service gives for pods, to whom, and what it says of places on servers. Real S3-compatible server, memory twin of the log."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.object_storage import BadLine, ObjectServer, object_server

from osmo_data.own_storage import OwnStorage
from osmo_domain.agent_requests import AskNodeRules, NodeRules
from osmo_domain.config import Catalogue
from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.credential_requests import AttemptProof, CredentialsFetched, FetchCredentials, ListCredentials
from osmo_domain.credentials import CredentialType
from osmo_domain.errors import Transient
from osmo_domain.plan import InputPlan, OutputPlan, TaskPlan
from osmo_domain.requests import CheckData, DataAnswer, DataChecked, Refused
from osmo_domain.task_token import task_token
from osmo_eventlog.subjects import agent_questions

TASK_KEY = b"the key of the tasks"
REGISTRY, DATA = CredentialType.REGISTRY, CredentialType.DATA


def proof(task: str) -> AttemptProof:
    return AttemptProof(task, 0, task_token(TASK_KEY, "wf-1", task, 0))


async def as_agent(house: Any, backend: str, question: Any) -> DataAnswer:
    data = await house.user.requests.ask(agent_questions(backend), msgspec.json.encode(question), timeout_s=10)
    answer: DataAnswer = msgspec.json.decode(data, type=DataAnswer)
    return answer


async def with_keys(house: Any) -> None:
    await house.set("lake", DATA, endpoint="s3://lake", access_key_id="id", access_key="key", region="eu")
    await house.set("other", DATA, endpoint="s3://other", access_key_id="id2", access_key="key2")
    await house.set("his", DATA, user="bob", endpoint="s3://his", access_key_id="id3", access_key="key3")
    await house.set("hub", REGISTRY, registry="", username="u", auth="pw")
    await house.set("ngc", REGISTRY, registry="nvcr.io", username="n", auth="pw")
    await house.set("team", REGISTRY, registry="nvcr.io/org/team", username="t", auth="pw")


async def test_pods_get_all_keys_of_their_user_and_the_logins_for_their_images(house: Any) -> None:
    await with_keys(house)
    await house.submitted(TaskPlan("a", "nginx", ("c",)), TaskPlan("b", "nvcr.io/org/team/x:1", ("c",)))
    answer = await as_agent(house, "default", FetchCredentials("wf-1", (proof("b"),), pod_access=True))
    assert isinstance(answer, CredentialsFetched)
    assert answer.storage == {
        "s3://lake": {"endpoint": "s3://lake", "access_key_id": "id", "access_key": "key", "region": "eu"},
        "s3://other": {"endpoint": "s3://other", "access_key_id": "id2", "access_key": "key2"},
    }
    assert [login["username"] for login in answer.registries] == ["t", "n"]
    assert answer.own_storage == {}
    assert "key2" not in repr(answer)
    answer = await as_agent(house, "default", FetchCredentials("wf-1", (proof("a"),), pod_access=True))
    assert isinstance(answer, CredentialsFetched)
    assert [login["username"] for login in answer.registries] == ["u"]


async def test_who_asks_for_credentials_alone_gets_nothing_around_them(house: Any) -> None:
    await with_keys(house)
    await house.submitted(TaskPlan("a", "nginx", ("c",), credentials={"lake": {"K": "access_key"}}))
    answer = await as_agent(house, "default", FetchCredentials("wf-1", (proof("a"),)))
    assert answer == CredentialsFetched({"lake": {"access_key": "key"}})


async def test_an_agent_is_told_the_rules_for_nodes_of_its_own_backend(house: Any) -> None:
    async def rules(backend: str) -> dict[str, str]:
        data = await house.user.requests.ask(
            agent_questions(backend), msgspec.json.encode(AskNodeRules()), timeout_s=10
        )
        return msgspec.json.decode(data, type=NodeRules).rules

    assert await rules("lab") == {}
    wanted = {"Ready": "True", "Gpu": "True|Unknown"}
    await house.configure("BACKEND", {"lab": {"node_conditions": {"rules": wanted}}, "other": {}})
    async with asyncio.timeout(10):
        while await rules("lab") != wanted:
            await asyncio.sleep(0.01)
    assert await rules("other") == {"Ready": "True"}


async def test_an_agent_gets_nothing_of_another_backends_workflows(house: Any) -> None:
    await with_keys(house)
    await house.submitted(TaskPlan("a", "nginx", ("c",)), backend="cluster-1")
    question = FetchCredentials("wf-1", (proof("a"),), pod_access=True)
    assert isinstance(await as_agent(house, "cluster-1", question), CredentialsFetched)
    refused = await as_agent(house, "cluster-2", question)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.http_status) == ("credential.unproven", 403)


async def test_an_agent_may_ask_for_nothing_else(house: Any) -> None:
    await with_keys(house)
    for question in (ListCredentials("ada"), CheckData("ada", (("file:///x", "READ"),)), {"type": "nonsense"}):
        refused = await as_agent(house, "default", question)
        assert isinstance(refused, Refused)
        assert refused.code == "data.bad_question"


# The installation's own storage


def own(tmp_path: Path, **credential: str) -> OwnStorage:
    catalogue = Catalogue.empty()
    value = {"workflow_data": {"credential": {"endpoint": "s3://own/data/", **credential}}}
    catalogue.objects[ConfigType.WORKFLOW]["workflow"] = value
    return OwnStorage(catalogue, tmp_path)


KEYS = {"access_key_id": "id", "access_key": "k:e y"}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"keys.json": json.dumps(KEYS)}, {"secret_file": "keys.json"}),
        ({"keys": "# comment\naccess_key_id: id\naccess_key: 'k:e y'\n"}, {"secret_file": "keys"}),
        ({"s3/access_key_id": "id\n", "s3/access_key": "k:e y\n", "s3/else": "x"}, {"secretName": "s3"}),
        ({"s3/cred.yaml": "access_key_id: id\naccess_key: k:e y\n"}, {"secretName": "s3"}),
        ({"s3/mine": json.dumps(KEYS)}, {"secretName": "s3", "secretKey": "mine"}),
    ],
)
def test_the_configuration_names_where_the_keys_are(
    tmp_path: Path, files: dict[str, str], names: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = own(tmp_path, override_url="http://minio", addressing_style="path", **names).keys()
    payload = {**KEYS, "endpoint": "s3://own/data", "override_url": "http://minio", "addressing_style": "path"}
    assert found == {"s3://own/data": payload}


def test_keys_that_cannot_be_read_yet_are_waited_for(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text('{"access_key": "secret')
    for names in ({"secret_file": "missing"}, {"secret_file": "bad"}, {"secretName": "missing"}):
        with pytest.raises(Transient, match="keys of the installation's storage") as waits:
            own(tmp_path, **names).keys()
        assert 'secret"' not in str(waits.value)


def test_without_keys_the_pods_own_rights_count(tmp_path: Path) -> None:
    assert own(tmp_path, region="eu").keys() == {"s3://own/data": {"endpoint": "s3://own/data", "region": "eu"}}
    assert OwnStorage(Catalogue.empty(), tmp_path).keys() == {}


async def test_only_tasks_that_hand_data_on_get_the_installations_keys(house: Any, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(json.dumps(KEYS))
    credential = {"endpoint": "s3://own", "secret_file": str(tmp_path / "keys")}
    await house.configure_workflow({"workflow_data": {"credential": credential}})
    await house.submitted(
        TaskPlan("keeps", "i", ("c",), outputs=(OutputPlan("s3://own/wf-1/keeps", intermediate=True),)),
        TaskPlan("takes", "i", ("c",), inputs=(InputPlan("s3://own/wf-1/keeps", task="keeps"),)),
        TaskPlan("neither", "i", ("c",), inputs=(InputPlan("s3://lake/x"),)),
    )
    async with asyncio.timeout(5):
        while not await own_storage(house, "keeps"):
            await asyncio.sleep(0.01)
    for task, given in (("keeps", True), ("takes", True), ("neither", False)):
        assert await own_storage(house, task) == ({"s3://own": {**KEYS, "endpoint": "s3://own"}} if given else {}), task
    (tmp_path / "keys").unlink()
    refused = await as_agent(house, "default", FetchCredentials("wf-1", (proof("keeps"),), pod_access=True))
    assert isinstance(refused, Refused)
    assert refused.http_status == 503


async def own_storage(house: Any, task: str) -> dict[str, dict[str, str]]:
    answer = await as_agent(house, "default", FetchCredentials("wf-1", (proof(task),), pod_access=True))
    assert isinstance(answer, CredentialsFetched)
    return answer.own_storage


# Places on servers


@pytest.fixture(scope="module")
def s3() -> Iterator[ObjectServer]:
    with object_server() as server:
        server.make_bucket("lake")
        yield server


async def test_places_are_checked_with_the_users_own_keys(house: Any, s3: ObjectServer) -> None:
    reader = s3.user("ada", "s3:ListBucket", "s3:GetObject")
    await house.set("lake", DATA, endpoint="s3://lake", **reader)
    await house.set("gone", DATA, endpoint="s3://gone", **reader)
    uris = (("s3://lake/in", "READ"), ("s3://lake/out", "WRITE"), ("s3://gone/x", "READ"), ("s3://lake/in/", "READ"))
    with s3.rights_enforced():
        answer = await house.ask(CheckData("ada", uris))
    assert isinstance(answer, DataChecked)
    assert answer.codes == {"s3://lake/out": "data.access_denied", "s3://gone/x": "data.no_bucket"}
    answer = await house.ask(CheckData("ada", uris))
    assert isinstance(answer, DataChecked)
    assert answer.codes == {"s3://gone/x": "data.no_bucket"}
    assert "s3://gone" in answer.problems["s3://gone/x"]


async def test_wrong_keys_and_none_are_told_apart(house: Any, s3: ObjectServer) -> None:
    await house.set("lake", DATA, endpoint="s3://lake", **s3.keys(access_key_id="NOBODYS-KEY-ID"))
    async with BadLine(s3.port) as line:
        line.silent = True
        hung = s3.keys(override_url=line.url)
        await house.set("hung", DATA, endpoint="s3://hung", **hung)
        with s3.rights_enforced():
            uris = (("s3://lake/in", "WRITE"), ("s3://hung/x", "READ"))
            answer = await house.ask(CheckData("ada", uris))
    assert isinstance(answer, DataChecked)
    assert answer.codes == {"s3://lake/in": "data.bad_keys", "s3://hung/x": "data.unreachable"}
    assert "does not answer within 5 s" in answer.problems["s3://hung/x"]
