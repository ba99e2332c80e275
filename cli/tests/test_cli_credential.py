"""`osmo credential`: what is sent, what is said, and what stays in config.yaml on this machine."""

import json
from pathlib import Path
from typing import Any

import pytest

SECRET = "correct-horse=battery"


def row(name: str, kind: str = "GENERIC", profile: str | None = None) -> dict[str, Any]:
    return {"cred_name": name, "cred_type": kind, "profile": profile}


@pytest.fixture
def takes(api: Any) -> Any:
    """An API that takes a credential `lake`."""
    api.on("POST", "/api/credentials/lake", None)
    return api


def sent(api: Any) -> Any:
    (seen,) = api.seen("POST", "/api/credentials/lake")
    return seen.body


def test_a_generic_payload_is_sent_as_it_was_typed(osmo: Any, takes: Any) -> None:
    ran = osmo("credential", "set", "lake", "--payload", f"token={SECRET}", "empty=", "--payload", "more=x y")
    assert (ran.code, ran.out) == (0, "Set GENERIC credential lake.\n")
    assert ran.err == "Note: the value of empty is empty.\n"
    assert sent(takes) == {"generic_credential": {"credential": {"token": SECRET, "empty": "", "more": "x y"}}}


def test_a_payload_from_files_is_sent_as_it_stands_there(osmo: Any, takes: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes("-begin-\r\n schlüssel \n".encode())
    assert osmo("credential", "set", "lake", "--payload-file", "id=key", "again=~/key").code == 0
    text = "-begin-\r\n schlüssel \n"
    assert sent(takes) == {"generic_credential": {"credential": {"id": text, "again": text}}}


def test_a_registry_credential(osmo: Any, takes: Any) -> None:
    payload = ("registry=nvcr.io", "username=$oauthtoken", f"auth={SECRET}")
    ran = osmo("credential", "set", "lake", "--type", "registry", "--payload", *payload)
    assert ran.out == "Set REGISTRY credential lake.\n"
    assert sent(takes) == {"registry_credential": {"registry": "nvcr.io", "username": "$oauthtoken", "auth": SECRET}}


DATA = ("--type", "DATA", "--payload", "endpoint=s3://lake/", "access_key_id=id", f"access_key={SECRET}", "region=eu")


def test_a_data_credential_is_kept_on_this_machine_too_for_its_owner_only(osmo: Any, takes: Any, config: Path) -> None:
    (config / "config.yaml").write_text("other: {stays: 1}\nauth:\n  data:\n    s3://sea: {access_key_id: i}\n")
    assert osmo("credential", "set", "lake", *DATA).out == "Set DATA credential lake.\n"
    expected = {"endpoint": "s3://lake", "access_key_id": "id", "access_key": SECRET, "region": "eu"}
    assert sent(takes) == {"data_credential": expected}
    found = json.loads((config / "config.yaml").read_text())
    assert found["other"] == {"stays": 1}
    assert found["auth"]["data"] == {
        "s3://sea": {"access_key_id": "i"},
        "s3://lake": {"access_key_id": "id", "access_key": SECRET, "region": "eu"},
    }
    assert oct((config / "config.yaml").stat().st_mode & 0o777) == "0o600"


def test_what_the_server_refuses_is_not_kept_here(osmo: Any, api: Any, config: Path) -> None:
    refusal = {"message": "The name lake belongs to something else.", "error_code": "USER", "workflow_id": None}
    api.on("POST", "/api/credentials/lake", api.answer(refusal, 400))
    ran = osmo("credential", "set", "lake", *DATA)
    assert ran.code == 2
    assert "The name lake belongs to something else." in ran.out
    assert not (config / "config.yaml").exists()


@pytest.mark.parametrize("content", ["- a list\n", "auth: 7\n", "auth: {data: []}\n", "auth: [\n"])
def test_a_file_that_is_none_of_ours_is_left_alone_and_nothing_is_sent(
    osmo: Any, takes: Any, config: Path, content: str
) -> None:
    (config / "config.yaml").write_text(content)
    ran = osmo("credential", "set", "lake", *DATA)
    assert ran.code == 2
    assert "config.yaml" in ran.out
    assert (config / "config.yaml").read_text() == content
    assert takes.seen("POST", "/api/credentials/lake") == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "one of the arguments --payload --payload-file is required"),
        (("--payload", "a=b", "--payload-file", "c=d"), 2, "not allowed with argument"),
        (("--payload",), 2, "expected at least one argument"),
        (("--payload", "token", SECRET), 1, "has no key or no `=`"),
        (("--payload", f"={SECRET}"), 1, "has no key or no `=`"),
        (("--payload", f"a={SECRET}", f"a={SECRET}"), 1, "the key a twice"),
        (("--payload-file", "a=none"), 1, "The file for a cannot be read: none"),
        (("--payload-file", "a=binary"), 1, "is not text in UTF-8"),
        (("--type", "DATA", "--payload", "endpoint=s3://x", f"access_key={SECRET}"), 1, "needs access_key_id"),
        (("--type", "OTHER", "--payload", "a=b"), 2, "invalid choice"),
    ],
)
def test_arguments_that_make_no_payload(
    osmo: Any, takes: Any, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    ran = osmo("credential", "set", "lake", *arguments)
    assert ran.code == code
    assert said in ran.out + ran.err
    assert SECRET not in ran.out + ran.err
    assert takes.seen("POST", "/api/credentials/lake") == []


def test_listing(osmo: Any, api: Any, config: Path) -> None:
    rows = [
        row("hub", "REGISTRY", "docker.io"),
        row("git"),
        row("lake", "DATA", "s3://lake"),
        row("sea", "DATA", "s3://sea"),
    ]
    api.on("GET", "/api/credentials", {"credentials": rows})
    (config / "config.yaml").write_text('{"auth": {"data": {"s3://lake": {}}}}')
    assert osmo("credential", "list").out.splitlines() == [
        "Name   Type       Profile     Local",
        "===================================",
        "hub    REGISTRY   docker.io   N/A",
        "git    GENERIC    -           N/A",
        "lake   DATA       s3://lake   Yes",
        "sea    DATA       s3://sea    No",
    ]
    ran = osmo("credential", "--format-type", "json", "list")
    assert json.loads(ran.out) == {"credentials": rows}


def test_deleting_forgets_it_here_too(osmo: Any, api: Any, config: Path) -> None:
    api.on("DELETE", "/api/credentials/lake", {"credentials": [row("lake", "DATA", "s3://lake")]})
    (config / "config.yaml").write_text('{"auth": {"data": {"s3://lake": {}, "s3://sea": {}}}}')
    assert osmo("credential", "delete", "lake").out == "Deleted credential lake.\n"
    assert json.loads((config / "config.yaml").read_text()) == {"auth": {"data": {"s3://sea": {}}}}
    assert api.seen("DELETE", "/api/credentials/lake")[0].headers["x-osmo-user"] == "ada"


def test_deleting_one_that_is_not_there(osmo: Any, api: Any) -> None:
    refusal = {"message": "There is no credential none.", "error_code": "USER", "workflow_id": None}
    api.on("DELETE", "/api/credentials/none", api.answer(refusal, 400))
    ran = osmo("credential", "delete", "none")
    assert ran.code == 2
    assert "There is no credential none." in ran.out


def test_odd_names_stay_in_their_place_of_the_path(osmo: Any, api: Any) -> None:
    osmo("credential", "delete", "../pool?x")
    assert [seen.path for seen in api.requests if seen.method == "DELETE"] == ["/api/credentials/..%2Fpool%3Fx"]


def test_help_names_the_commands(nobody: Any) -> None:
    ran = nobody("credential", "--help")
    assert all(word in ran.out for word in ("set", "list", "delete"))
    assert "--payload-file" in nobody("credential", "set", "--help").out
