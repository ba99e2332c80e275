"""Credentials as pure rules: which replaces which, what a payload may be, what a task gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo_domain.credential_payload import check_credential_name, registry_scope, storage_profile, with_profile
from osmo_domain.credential_requests import AttemptProof, CredentialsFetched, FetchCredentials, SetCredential
from osmo_domain.credentials import (
    CredentialBook,
    CredentialDeleted,
    CredentialEvent,
    CredentialSet,
    CredentialType,
    credential_object,
    file_path,
    files,
    needed,
    variables,
)
from osmo_domain.errors import Rejected

GENERIC, REGISTRY, DATA = CredentialType.GENERIC, CredentialType.REGISTRY, CredentialType.DATA


def set_(name: str, kind: CredentialType = GENERIC, profile: str | None = None, user: str = "ada") -> CredentialSet:
    return CredentialSet(user, name, kind, "k", b"w", b"n", b"c", profile)


def book(*events: CredentialEvent) -> CredentialBook:
    made = CredentialBook()
    for event in events:
        made.apply(event)
    return made


def names(made: CredentialBook, user: str = "ada") -> list[str]:
    return [each.name for each in made.of(user)]


def test_one_of_a_name_and_one_of_a_profile() -> None:
    lake, sea = set_("lake", DATA, "s3://lake"), set_("sea", DATA, "s3://sea")
    assert names(book(lake, sea)) == ["lake", "sea"]
    assert names(book(lake, set_("new", DATA, "s3://lake"))) == ["new"]
    assert names(book(lake, set_("new", REGISTRY, "s3://lake"))) == ["new", "lake"]
    assert names(book(set_("a"), set_("b"), set_("a"))) == ["a", "b"]


def test_a_replaced_one_stays_replaced_when_its_successor_is_deleted() -> None:
    made = book(set_("one", DATA, "s3://lake"), set_("two", DATA, "s3://lake"), CredentialDeleted("ada", "two"))
    assert names(made) == []
    assert names(book(CredentialDeleted("ada", "never"))) == []


def test_what_a_name_is_for_does_not_change_by_mistake() -> None:
    made = book(set_("lake", DATA, "s3://lake"), set_("git"))
    made.check_name_free("ada", "lake", DATA, "s3://lake")
    made.check_name_free("ada", "git", GENERIC, None)
    made.check_name_free("bob", "lake", GENERIC, None)
    for name, kind, profile in (("lake", GENERIC, None), ("lake", DATA, "s3://sea"), ("git", DATA, "s3://sea")):
        with pytest.raises(Rejected, match="delete that first"):
            made.check_name_free("ada", name, kind, profile)


EVENTS = st.lists(
    st.one_of(
        st.builds(set_, st.sampled_from("abc"), st.just(GENERIC), st.none(), st.sampled_from(["u", "v"])),
        st.builds(
            set_, st.sampled_from("abc"), st.just(DATA), st.sampled_from(["p", "q"]), st.sampled_from(["u", "v"])
        ),
        st.builds(CredentialDeleted, st.sampled_from(["u", "v"]), st.sampled_from("abc")),
    ),
    max_size=25,
)


@given(EVENTS)
def test_names_and_profiles_are_unique_whatever_happened(events: list[CredentialEvent]) -> None:
    made = book(*events)
    for user in ("u", "v"):
        there = made.of(user)
        profiles = [(each.kind, each.profile) for each in there if each.profile is not None]
        assert len({each.name for each in there}) == len(there)
        assert len(set(profiles)) == len(profiles)
        assert all(made.get(user, each.name) is each and each.user == user for each in there)


@given(st.lists(st.tuples(st.text(), st.text()), min_size=2, max_size=6, unique=True))
def test_two_credentials_never_share_an_object(owned: list[tuple[str, str]]) -> None:
    found = [credential_object(user, name) for user, name in owned]
    assert len(set(found)) == len(found)
    assert not any(set(each) & set(".*> \t\r\n") for each in found)


def test_objects_can_be_read() -> None:
    assert credential_object("ada@example.com", "git") == "ada%40example%2Ecom/git"


@pytest.mark.parametrize("name", ["a", "A-b_c9", "x" * 200])
def test_good_names(name: str) -> None:
    check_credential_name(name)


@pytest.mark.parametrize("name", ["", "9a", "a-", "_a", "a b", "a/b", "ä", "x" * 201, "a\n"])
def test_bad_names(name: str) -> None:
    with pytest.raises(Rejected, match="cannot be the name"):
        check_credential_name(name)


@pytest.mark.parametrize(
    ("written", "scope"),
    [
        ("", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io/team", "docker.io/team"),
        ("NVCR.io", "nvcr.io"),
        ("https://nvcr.io/org/Team/", "nvcr.io/org/Team"),
        ("localhost:5000", "localhost:5000"),
    ],
)
def test_registry_scopes_are_written_in_one_way(written: str, scope: str) -> None:
    assert registry_scope(written) == scope
    assert with_profile(REGISTRY, {"registry": written, "auth": "x"}) == ({"registry": scope, "auth": "x"}, scope)


@pytest.mark.parametrize("written", ["a b", "nvcr.io//x", "*", "user@nvcr.io"])
def test_what_is_no_registry(written: str) -> None:
    with pytest.raises(Rejected, match="not a registry"):
        registry_scope(written)


@pytest.mark.parametrize(
    ("written", "profile"),
    [
        ("s3://lake", "s3://lake"),
        ("s3://lake/part//", "s3://lake/part"),
        ("gs://b", "gs://b"),
        ("azure://account", "azure://account"),
        ("tos://tos-s3-cn-beijing.example/b", "tos://tos-s3-cn-beijing.example/b"),
        ("swift://host/AUTH_x", "swift://host/AUTH_x"),
    ],
)
def test_storage_profiles(written: str, profile: str) -> None:
    assert storage_profile(written) == profile


@pytest.mark.parametrize(
    "written", ["", "s3://", "s3:/x", "file:///x", "ftp://x", "tos://host", "s3://a,b", "s3://a//b"]
)
def test_what_is_no_storage(written: str) -> None:
    with pytest.raises(Rejected, match="not a place in storage"):
        storage_profile(written)


@pytest.mark.parametrize("written", ["http://minio:9000", "HTTPS://x"])
def test_the_address_of_a_server_has_a_key_of_its_own(written: str) -> None:
    with pytest.raises(Rejected, match="override_url"):
        storage_profile(written)


PAYLOADS = {"git": {"token": "t", "user": "u"}, "ssh": {"key": "k", "pub": "p"}}


def test_a_task_gets_variables_and_files() -> None:
    uses: dict[str, str | dict[str, str]] = {"git": {"A": "token", "B": "token"}, "ssh": "keys/.ssh/"}
    assert variables(uses, PAYLOADS) == {"A": "t", "B": "t"}
    assert files(uses, PAYLOADS) == {"/keys/.ssh/key": "k", "/keys/.ssh/pub": "p"}
    assert dict(needed(uses)) == {"git": frozenset({"token"}), "ssh": None}
    assert (variables({}, {}), files({}, {})) == ({}, {})


def test_what_is_not_there_is_a_key_error() -> None:
    for use in ({"none": {"A": "b"}}, {"git": {"A": "none"}}):
        with pytest.raises(KeyError):
            variables(use, PAYLOADS)
    with pytest.raises(KeyError):
        files({"none": "/a"}, PAYLOADS)


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "/etc/passwd", "../x", "a\0b"])
def test_no_key_leads_out_of_its_directory(key: str) -> None:
    with pytest.raises(Rejected, match="cannot be the name of a file"):
        file_path("/s", "git", key)


@given(st.text(), st.text())
def test_every_file_stands_right_in_its_directory(directory: str, key: str) -> None:
    try:
        path = file_path(directory, "c", key)
    except Rejected:
        return
    assert path.startswith("/")
    assert path.rpartition("/")[2] == key
    assert "/../" not in path


def test_messages_show_no_values_when_they_are_printed() -> None:
    secret = "correct-horse"
    shown = repr(
        [
            SetCredential("ada", "git", GENERIC, {"k": secret}),
            CredentialsFetched({"git": {"k": secret}}),
            AttemptProof("t", 0, secret),
            FetchCredentials("w-1", (AttemptProof("t", 0, secret),)),
        ]
    )
    assert secret not in shown
    assert "git" in shown
