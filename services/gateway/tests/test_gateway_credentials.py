"""`/api/credentials` over a real server: what the public CLI sends, and what it gets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from services.gateway.tests.gateway_house import House, open_house

from osmo_domain.credential_requests import (
    CredentialEntry,
    CredentialQuestion,
    CredentialsListed,
    DeleteCredential,
    ListCredentials,
    SetCredential,
)
from osmo_domain.credentials import CredentialType
from osmo_domain.requests import DataAnswer, Done, Refused
from osmo_eventlog.subjects import DATA_QUESTIONS

SECRET = "correct-horse-battery"
ENTRY = CredentialEntry("ngc", CredentialType.REGISTRY, "nvcr.io")
ROW = {"cred_name": "ngc", "cred_type": "REGISTRY", "profile": "nvcr.io"}


class Data:
    """Answers as the data service is told to; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[CredentialQuestion] = []
        self.says: DataAnswer = Done()

    async def answer(self, data: bytes) -> bytes:
        self.asked.append(msgspec.json.decode(data, type=CredentialQuestion))
        return msgspec.json.encode(self.says)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


@pytest.fixture
async def data(house: House) -> AsyncIterator[Data]:
    fake = Data()
    async with house.connection.requests.serve("data", DATA_QUESTIONS, fake.answer):
        yield fake


async def call(house: House, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    sent = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
    async with house.session.request(method, path, data=sent, headers={"x-osmo-user": "ada@example.com"}) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_listing_and_deleting_answer_with_rows(house: House, data: Data) -> None:
    data.says = CredentialsListed((ENTRY, CredentialEntry("git", CredentialType.GENERIC)))
    git = {"cred_name": "git", "cred_type": "GENERIC", "profile": None}
    assert await call(house, "GET", "/api/credentials") == (200, {"credentials": [ROW, git]})
    data.says = CredentialsListed((ENTRY,))
    assert await call(house, "DELETE", "/api/credentials/ngc") == (200, {"credentials": [ROW]})
    assert data.asked == [ListCredentials("ada@example.com"), DeleteCredential("ada@example.com", "ngc")]


@pytest.mark.parametrize(
    ("body", "kind", "payload"),
    [
        ({"generic_credential": {"credential": {"t": SECRET, "u": ""}}}, "GENERIC", {"t": SECRET, "u": ""}),
        (
            {"registry_credential": {"auth": SECRET}, "data_credential": None},
            "REGISTRY",
            {"registry": "", "username": "", "auth": SECRET},
        ),
        (
            {"registry_credential": {"registry": "nvcr.io", "username": "$oauthtoken", "password": SECRET}},
            "REGISTRY",
            {"registry": "nvcr.io", "username": "$oauthtoken", "auth": SECRET},
        ),
        (
            {"data_credential": {"endpoint": "s3://b", "access_key_id": "i", "access_key": SECRET, "region": "r"}},
            "DATA",
            {"endpoint": "s3://b", "access_key_id": "i", "access_key": SECRET, "region": "r"},
        ),
    ],
)
async def test_each_kind_is_set_and_answered_with_null(
    house: House, data: Data, body: Any, kind: str, payload: dict[str, str]
) -> None:
    assert await call(house, "POST", "/api/credentials/ngc", body) == (200, None)
    (asked,) = data.asked
    assert asked == SetCredential("ada@example.com", "ngc", CredentialType(kind), payload)


GENERIC = {"credential": {"t": SECRET}}


@pytest.mark.parametrize("body", [None, {}, {"other": 1}, {"generic_credential": None}])
async def test_no_kind_is_refused(house: House, data: Data, body: Any) -> None:
    status, said = await call(house, "POST", "/api/credentials/ngc", body)
    assert (status, said["error_code"], said["code"]) == (400, "USER", "credential.kind")
    assert "this one has none" in said["message"]
    assert data.asked == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"generic_credential": GENERIC, "registry_credential": {"auth": SECRET}}, "credential.kind"),
        ({"registry_credential": {"registry": "nvcr.io"}}, "credential.auth"),
        ({"registry_credential": {"auth": SECRET, "password": SECRET}}, "credential.auth"),
    ],
)
async def test_two_kinds_and_missing_secrets_are_refused(house: House, data: Data, body: Any, code: str) -> None:
    status, said = await call(house, "POST", "/api/credentials/ngc", body)
    assert (status, said["error_code"], said["code"]) == (400, "USER", code)
    assert SECRET not in str(said)
    assert data.asked == []


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"generic_credential": {"credential": {"t": SECRET}, "extra": SECRET}}, ["body", "generic_credential"]),
        ({"generic_credential": {}}, ["body", "generic_credential"]),
        ({"generic_credential": {"credential": {"t": 1}}}, ["body", "generic_credential", "credential"]),
        ({"registry_credential": {"token": SECRET}}, ["body", "registry_credential"]),
        ({"data_credential": {"endpoint": "s3://b", "access_key_id": "i"}}, ["body", "data_credential"]),
        (
            {"data_credential": {"endpoint": "e", "access_key_id": "i", "access_key": SECRET, "addressing_style": "x"}},
            ["body", "data_credential", "addressing_style"],
        ),
        (f'{{"generic_credential": {{"credential": {{"t": "{SECRET}"'.encode(), ["body"]),
        (b'"\xff' + SECRET.encode(), ["body"]),
    ],
)
async def test_a_body_of_another_shape_is_422_and_shows_no_value(
    house: House, data: Data, body: Any, loc: list[str]
) -> None:
    status, said = await call(house, "POST", "/api/credentials/ngc", body)
    assert (status, said["detail"][0]["loc"]) == (422, loc)
    assert SECRET not in str(said)
    assert data.asked == []


async def test_what_data_refuses_and_cannot_do_now(house: House, data: Data) -> None:
    data.says = Refused("credential.unknown", "There is no credential none.")
    status, said = await call(house, "DELETE", "/api/credentials/none")
    assert (status, said["error_code"], said["code"]) == (400, "USER", "credential.unknown")
    data.says = Refused("data.unavailable", "not now", "SERVER", 503)
    for method, path in (("GET", "/api/credentials"), ("DELETE", "/api/credentials/a")):
        assert (await call(house, method, path))[0] == 503
    data.says = Done()
    assert (await call(house, "GET", "/api/credentials"))[0] == 503


async def test_without_data_it_is_503_and_nothing_of_it_is_logged(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with asyncio.timeout(20):
        assert (await call(house, "POST", "/api/credentials/git", {"generic_credential": GENERIC}))[0] == 503
    assert SECRET not in "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
