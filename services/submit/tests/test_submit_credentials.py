"""Credentials of a spec at submission: whether the user has them, and where in the text it says what cannot be."""

from typing import Any

import msgspec
import pytest

from osmo_domain.credential_requests import CheckCredentials
from osmo_domain.requests import Refused
from osmo_eventlog.subjects import DATA_QUESTIONS

HEAD = "workflow:\n  name: w\n  tasks:\n  - name: a\n    image: alpine\n    command: [x]\n"


def spec(*lines: str) -> str:
    """A spec whose task has these credentials, from line 8 on."""
    return HEAD + "    credentials:\n" + "".join(f"      {line}\n" for line in lines)


async def test_a_credential_that_the_user_has_is_accepted_in_both_forms(house: Any) -> None:
    await house.submit(spec("git: {TOKEN: token}"))
    await house.submit(spec("git: /keys/git"))
    plan = (await house.submitted("w-2")).plan
    assert plan.groups[0].tasks[0].credentials == {"git": "/keys/git"}


@pytest.mark.parametrize(
    ("lines", "code", "error_code", "place", "said"),
    [
        (["none: /a"], "credential.missing", "CREDENTIAL", (8, 7), "Could not find the credential: none."),
        (["gti: {A: token}"], "credential.missing", "CREDENTIAL", (8, 7), "Did you mean git?"),
        (["other: {A: b}"], "credential.missing", "CREDENTIAL", (8, 7), "`osmo credential set other`"),
        (["git:", "  A: token", "  B: key"], "credential.missing_key", "CREDENTIAL", (10, 12), "It has token, user."),
        (["odd: /a"], "credential.no_file_name", "CREDENTIAL", (8, 12), "use it as a variable"),
        (["git: /osmo/secrets"], "spec.credential_path", "USAGE", (8, 12), "below /osmo"),
        (["git: osmo"], "spec.credential_path", "USAGE", (8, 12), "below /osmo"),
        (["git: /"], "spec.credential_path", "USAGE", (8, 12), "cannot be a directory"),
        (["git: /a/../b"], "spec.credential_path", "USAGE", (8, 12), "cannot be a directory"),
        (["git: {'A=B': token}"], "spec.env_name", "USAGE", (8, 13), "environment variable"),
        (["git: {'': token}"], "spec.env_name", "USAGE", (8, 13), "environment variable"),
    ],
)
async def test_what_cannot_be_is_refused_at_its_place(
    house: Any, lines: list[str], code: str, error_code: str, place: tuple[int, int], said: str
) -> None:
    refusal: Refused = await house.refusal(spec(*lines))
    assert (refusal.code, refusal.error_code, refusal.http_status) == (code, error_code, 400)
    assert (refusal.line, refusal.column) == place
    assert said in refusal.message
    assert await house.count() == 1


async def test_two_things_at_one_path_are_refused(house: Any) -> None:
    text = spec("git: /a/b/") + "    files:\n    - {path: a/b/user, contents: x}\n"
    refusal: Refused = await house.refusal(text)
    assert (refusal.code, refusal.line, refusal.column) == ("credential.path_taken", 8, 12)
    assert "/a/b/user, which is a file of `files`" in refusal.message


async def test_a_missing_credential_is_told_in_the_template(house: Any) -> None:
    text = spec("'{{ name }}': /a").replace("workflow:", "default-values:\n  name: none\nworkflow:", 1)
    refusal: Refused = await house.refusal(text)
    assert (refusal.code, refusal.line) == ("credential.missing", 10)


async def test_specs_without_credentials_ask_nobody(house_alone: Any) -> None:
    await house_alone.submit(HEAD)
    refusal: Refused = await house_alone.refusal(spec("git: /a"))
    assert (refusal.code, refusal.http_status) == ("submit.unavailable", 503)


async def test_what_data_says_reaches_the_user(house_alone: Any) -> None:
    answers = [
        Refused("credential.unreadable", "The credential git cannot be read: why.", "CREDENTIAL"),
        Refused("data.unavailable", "This cannot be done now.", "SERVER", 503),
    ]
    asked: list[Any] = []

    async def answer(data: bytes) -> bytes:
        asked.append(msgspec.json.decode(data, type=CheckCredentials))
        return msgspec.json.encode(answers.pop(0))

    data = house_alone.server.connect("data")
    async with data.requests.serve("data", DATA_QUESTIONS, answer):
        refusal: Refused = await house_alone.refusal(spec("git: /a", "gti: /a"))
        assert (refusal.code, refusal.error_code) == ("credential.unreadable", "CREDENTIAL")
        refusal = await house_alone.refusal(spec("git: /a"))
        assert (refusal.code, refusal.http_status) == ("submit.unavailable", 503)
    assert asked[0] == CheckCredentials("ada", ("git", "gti"))
