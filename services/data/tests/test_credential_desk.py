"""Credentials over the whole data service on the memory twin: what users keep, what submit hears, what agents get."""

import asyncio
import base64
import random
from typing import Any

import msgspec
import pytest

from osmo_data.app import Keys
from osmo_data.credentials.keys import KeyRing
from osmo_domain.credential_payload import MOST_PAYLOAD_BYTES
from osmo_domain.credential_requests import (
    AttemptProof,
    CheckCredentials,
    CredentialEntry,
    CredentialsChecked,
    CredentialsFetched,
    CredentialsListed,
    DeleteCredential,
    FetchCredentials,
    ListCredentials,
    SetCredential,
)
from osmo_domain.credentials import CredentialType
from osmo_domain.plan import TaskPlan
from osmo_domain.requests import Done
from osmo_domain.task_token import task_token

GENERIC, REGISTRY, DATA = CredentialType.GENERIC, CredentialType.REGISTRY, CredentialType.DATA
TASK_KEY = b"the key of the tasks"
SECRET = "correct-horse-battery"


def keys(master: bytes = b"k" * 32) -> Keys:
    return Keys(KeyRing([master]), TASK_KEY, random.Random(3).randbytes)


def using(*names: str, **more: dict[str, str]) -> TaskPlan:
    uses: dict[str, str | dict[str, str]] = dict.fromkeys(names, "/secrets")
    return TaskPlan("t", "i", ("c",), credentials={**uses, **more})


def proof(task: str = "t", retry_id: int = 0, workflow_id: str = "wf-1") -> AttemptProof:
    return AttemptProof(task, retry_id, task_token(TASK_KEY, workflow_id, task, retry_id))


async def test_what_is_set_is_listed_by_type_backwards_and_name(house: Any) -> None:
    await house.set("z", token=SECRET)
    await house.set("a", token=SECRET)
    await house.set("hub", REGISTRY, registry="", username="", auth="pw")
    await house.set("ngc", REGISTRY, registry="https://NVCR.io/org/team/", username="$oauthtoken", auth="pw")
    await house.set("lake", DATA, endpoint="s3://lake/", access_key_id="id", access_key="key")
    assert await house.names() == [
        ("hub", "REGISTRY", "docker.io"),
        ("ngc", "REGISTRY", "nvcr.io/org/team"),
        ("a", "GENERIC", None),
        ("z", "GENERIC", None),
        ("lake", "DATA", "s3://lake"),
    ]
    assert await house.names("bob") == []


async def test_users_have_credentials_of_their_own_whatever_they_are_called(house: Any) -> None:
    for user in ("ada@example.com", "ada@example", "ada=example.com", "a/b", "a%2Fb", "ä*>", "."):
        assert isinstance(await house.set("git", user=user, token=SECRET + user), Done)
    for user in ("ada@example.com", "ada@example", "ada=example.com", "a/b", "a%2Fb", "ä*>", "."):
        assert await house.names(user) == [("git", "GENERIC", None)]
    await house.ask(DeleteCredential("ada@example.com", "git"))
    assert await house.names("ada@example.com") == []
    assert await house.names("ada@example") == [("git", "GENERIC", None)]


async def test_a_generic_credential_is_replaced_by_the_next_of_its_name(house: Any) -> None:
    await house.submitted(using("git"))
    await house.set("git", old="1", token="before")
    await house.set("git", token="after")
    assert await house.ask(FetchCredentials("wf-1", (proof(),))) == CredentialsFetched({"git": {"token": "after"}})


async def test_one_credential_per_profile_which_can_take_a_new_name(house: Any) -> None:
    lake = {"endpoint": "s3://lake", "access_key_id": "id", "access_key": "key"}
    await house.set("one", DATA, **lake)
    await house.set("two", DATA, **lake)
    assert await house.names() == [("two", "DATA", "s3://lake")]
    assert await house.ask(DeleteCredential("ada", "two")) == CredentialsListed(
        (CredentialEntry("two", DATA, "s3://lake"),)
    )
    assert await house.names() == []
    async with house.replica(keys()):
        assert await house.names() == []


async def test_a_name_is_not_taken_from_a_credential_for_something_else(house: Any) -> None:
    await house.set("lake", DATA, endpoint="s3://lake", access_key_id="id", access_key="key")
    for question in (
        SetCredential("ada", "lake", GENERIC, {"token": SECRET}),
        SetCredential("ada", "lake", DATA, {"endpoint": "s3://sea", "access_key_id": "i", "access_key": "k"}),
    ):
        refused = await house.refusal(question)
        assert (refused.code, refused.error_code, refused.http_status) == ("credential.name_taken", "USER", 400)
    assert isinstance(await house.set("lake", user="bob", token=SECRET), Done)


@pytest.mark.parametrize(
    ("name", "kind", "payload", "code"),
    [
        ("1a", GENERIC, {"k": SECRET}, "credential.name"),
        ("a_", GENERIC, {"k": SECRET}, "credential.name"),
        ("a.b", GENERIC, {"k": SECRET}, "credential.name"),
        ("", GENERIC, {"k": SECRET}, "credential.name"),
        ("a" * 201, GENERIC, {"k": SECRET}, "credential.name"),
        ("a", GENERIC, {}, "credential.empty"),
        ("a", GENERIC, {"": SECRET}, "credential.key"),
        ("a", GENERIC, {"k": SECRET + "\0"}, "credential.nul"),
        ("a", GENERIC, {"k": SECRET * (MOST_PAYLOAD_BYTES // len(SECRET) + 1)}, "credential.too_large"),
        ("a", REGISTRY, {"registry": "nvcr.io", "username": ""}, "credential.missing_key"),
        ("a", REGISTRY, {"registry": "a b", "username": "", "auth": SECRET}, "credential.registry"),
        ("a", DATA, {"endpoint": "s3://x", "access_key_id": "i"}, "credential.missing_key"),
        ("a", DATA, {"endpoint": "https://x", "access_key_id": "i", "access_key": SECRET}, "credential.endpoint"),
        ("a", DATA, {"endpoint": "s3:/x", "access_key_id": "i", "access_key": SECRET}, "credential.endpoint"),
        ("a", DATA, {"endpoint": "tos://host", "access_key_id": "i", "access_key": SECRET}, "credential.endpoint"),
    ],
)
async def test_what_cannot_be_a_credential_is_refused(
    house: Any, name: str, kind: CredentialType, payload: dict[str, str], code: str
) -> None:
    refused = await house.refusal(SetCredential("ada", name, kind, payload))
    assert (refused.code, refused.error_code) == (code, "USER")
    assert SECRET not in refused.message
    assert await house.names() == []


async def test_a_payload_of_the_largest_size_is_kept(house: Any) -> None:
    await house.submitted(using("big"))
    assert isinstance(await house.set("big", k="x" * (MOST_PAYLOAD_BYTES - 1)), Done)
    answer = await house.ask(FetchCredentials("wf-1", (proof(),)))
    assert isinstance(answer, CredentialsFetched)
    assert len(answer.payloads["big"]["k"]) == MOST_PAYLOAD_BYTES - 1


async def test_deleting_what_is_not_there_is_refused(house: Any) -> None:
    assert (await house.refusal(DeleteCredential("ada", "none"))).code == "credential.unknown"
    await house.set("git", user="bob", token=SECRET)
    assert (await house.refusal(DeleteCredential("ada", "git"))).code == "credential.unknown"


async def test_submit_hears_of_names_and_keys_only(house: Any) -> None:
    await house.set("git", token=SECRET, user_name="ada")
    await house.set("gitlab", token=SECRET)
    await house.set("git-of-bob", user="bob", token=SECRET)
    answer = await house.ask(CheckCredentials("ada", ("git", "none", "git", "git-of-bob")))
    assert answer == CredentialsChecked({"git": ("token", "user_name")}, ("gitlab",))


async def test_an_attempt_gets_what_its_task_uses_and_nothing_else(house: Any) -> None:
    await house.set("git", token=SECRET, other="not mapped")
    await house.set("files", a="1", b="2")
    await house.set("unused", token="for somebody else")
    await house.submitted(using("files", git={"GIT_TOKEN": "token"}), blob=True)
    assert await house.ask(FetchCredentials("wf-1", (proof(),))) == CredentialsFetched(
        {"files": {"a": "1", "b": "2"}, "git": {"token": SECRET}}
    )


async def test_credentials_are_those_of_who_submitted(house: Any) -> None:
    await house.set("git", user="ada", token="hers")
    await house.set("git", user="bob", token="his")
    await house.submitted(using("git"), user="bob")
    assert await house.ask(FetchCredentials("wf-1", (proof(),))) == CredentialsFetched({"git": {"token": "his"}})


@pytest.mark.parametrize(
    "attempt",
    [
        AttemptProof("t", 0, ""),
        AttemptProof("t", 0, "0" * 64),
        AttemptProof("t", 0, "é" * 64),
        AttemptProof("t", 1, proof().token),
        AttemptProof("other", 0, proof().token),
        proof("other"),
        AttemptProof("t", 0, task_token(b"another key", "wf-1", "t", 0)),
    ],
)
async def test_without_a_proof_nothing_is_given(house: Any, attempt: AttemptProof) -> None:
    await house.set("git", token=SECRET)
    await house.submitted(using("git"))
    for attempts in ((attempt,), (proof(), attempt)):
        refused = await house.refusal(FetchCredentials("wf-1", attempts))
        assert (refused.code, refused.http_status) == ("credential.unproven", 403)
        assert SECRET not in repr(refused)


async def test_a_proof_for_a_workflow_that_never_was_gives_nothing(house: Any) -> None:
    await house.set("git", token=SECRET)
    question = FetchCredentials("wf-2", (proof(workflow_id="wf-2"),))
    assert (await house.refusal(question)).code == "credential.unproven"


async def test_what_is_gone_since_the_submission_is_said(house: Any) -> None:
    await house.submitted(using(git={"T": "token"}))
    question = FetchCredentials("wf-1", (proof(),))
    assert "does not exist any more" in (await house.refusal(question)).message
    await house.set("git", other=SECRET)
    refused = await house.refusal(question)
    assert (refused.code, refused.error_code) == ("credential.gone", "CREDENTIAL")
    assert "no key token any more" in refused.message


async def test_the_log_holds_no_value_in_any_form_and_no_answer_or_line_but_the_one(
    house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await house.set("git", token=SECRET)
    await house.set("git", token=SECRET + SECRET)
    await house.submitted(using("git"))
    said = msgspec.json.encode(
        [
            await house.ask(ListCredentials("ada")),
            await house.ask(CheckCredentials("ada", ("git",))),
            await house.ask(FetchCredentials("wf-1", (AttemptProof("t", 0, "x"),))),
        ]
    )
    given = await house.ask(FetchCredentials("wf-1", (proof(),)))
    said += msgspec.json.encode(await house.ask(DeleteCredential("ada", "git")))
    forms = [SECRET.encode(), *(base64.b64encode(b"x" * n + SECRET.encode())[4:-4] for n in range(3))]
    lines = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records).encode()
    for form in forms:
        assert form not in await house.stored()
        assert form not in said
        assert form not in lines
        assert form not in repr([given, SetCredential("ada", "git", GENERIC, {"token": SECRET}), proof()]).encode()
    assert b"credential.deleted" in await house.stored()


async def test_replicas_agree_at_once(house: Any) -> None:
    async with house.replica(keys()):
        for number in range(40):
            await house.set("git", token=f"value {number}")
            await house.ask(DeleteCredential("ada", "git")) if number % 3 == 2 else None
            names = [name for name, _, _ in await house.names()]
            assert names == ([] if number % 3 == 2 else ["git"])


async def test_many_at_once_leave_one(house: Any) -> None:
    async with house.replica(keys()):
        answers = await asyncio.gather(*(house.set("git", token=f"value {number}") for number in range(12)))
        assert all(isinstance(answer, Done) for answer in answers)
        lake = {"endpoint": "s3://lake", "access_key_id": "id", "access_key": "key"}
        await asyncio.gather(*(house.set(f"lake-{number}", DATA, **lake) for number in range(12)))
        listed = await house.names()
        assert [kind for _, kind, _ in listed] == ["GENERIC", "DATA"]
        assert await house.names() == listed


async def test_a_later_life_with_another_key_says_that_it_cannot_read(new_house: Any) -> None:
    house = new_house()
    async with house.replica(keys()):
        await house.set("git", token=SECRET)
        await house.submitted(using("git"))
    async with house.replica(keys(b"another key of thirty-two bytes!")):
        assert await house.names() == [("git", "GENERIC", None)]
        for question in (CheckCredentials("ada", ("git",)), FetchCredentials("wf-1", (proof(),))):
            refused = await house.refusal(question)
            assert (refused.code, refused.error_code) == ("credential.unreadable", "CREDENTIAL")
        assert isinstance(await house.set("git", token="again"), Done)
        assert isinstance(await house.ask(FetchCredentials("wf-1", (proof(),))), CredentialsFetched)


async def test_without_keys_no_credentials_are_kept(new_house: Any) -> None:
    house = new_house()
    async with house.replica(None):
        for question in (ListCredentials("ada"), SetCredential("ada", "git", GENERIC, {"token": SECRET})):
            assert (await house.refusal(question)).code == "credential.not_kept"
