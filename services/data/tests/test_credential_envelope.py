"""The encryption of credentials: opens for the right key, user and name, and for nothing else."""

import base64
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo_data.credentials.envelope import Envelopes, Sealed, Unreadable
from osmo_data.credentials.keys import BadKeyFile, KeyRing, key_id, read_key_ring, read_task_key

OLD, NEW, FOREIGN = bytes(range(32)), bytes(range(1, 33)), b"\xff" * 32
PAYLOAD = {"token": "s3cr3t-value-of-ada", "größe": "drei\nZeilen\n"}
ENVELOPES = Envelopes(KeyRing([NEW, OLD]), os.urandom)


def raw(sealed: Sealed) -> bytes:
    return b"".join([sealed.wrapped_key, sealed.nonce, sealed.ciphertext])


@given(st.dictionaries(st.text(), st.text()), st.text(), st.text())
def test_what_was_sealed_opens(payload: dict[str, str], user: str, name: str) -> None:
    assert ENVELOPES.open(ENVELOPES.seal(payload, user, name), user, name) == payload


def test_nothing_of_the_payload_or_the_keys_is_in_the_envelope() -> None:
    sealed = ENVELOPES.seal(PAYLOAD, "ada", "git")
    for secret in (b"s3cr3t", b"token", OLD, NEW):
        for form in (secret, base64.b64encode(secret)[:-4]):
            assert form not in raw(sealed)
            assert form not in msgspec.json.encode(sealed)
    assert NEW.hex() not in repr(KeyRing([NEW]))


def test_no_two_envelopes_are_alike() -> None:
    one, two = ENVELOPES.seal(PAYLOAD, "ada", "git"), ENVELOPES.seal(PAYLOAD, "ada", "git")
    assert one.key_id == two.key_id
    assert not {one.wrapped_key, one.nonce, one.ciphertext} & {two.wrapped_key, two.nonce, two.ciphertext}


@pytest.mark.parametrize(
    ("user", "name"), [("bob", "git"), ("ada", "gi"), ("ad", "agit"), ("", "adagit"), ("git", "ada")]
)
def test_an_envelope_opens_only_for_its_user_and_name(user: str, name: str) -> None:
    sealed = ENVELOPES.seal(PAYLOAD, "ada", "git")
    with pytest.raises(Unreadable, match="belong to another"):
        ENVELOPES.open(sealed, user, name)


@pytest.mark.parametrize("field", ["wrapped_key", "nonce", "ciphertext"])
def test_every_changed_byte_is_noticed(field: str) -> None:
    sealed = ENVELOPES.seal(PAYLOAD, "ada", "git")
    whole: bytes = getattr(sealed, field)
    for place in range(len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(Unreadable, match="changed"):
            ENVELOPES.open(msgspec.structs.replace(sealed, **{field: changed}), "ada", "git")
    for cut in (b"", whole[:5], whole[:-1], whole + b"x"):
        with pytest.raises(Unreadable):
            ENVELOPES.open(msgspec.structs.replace(sealed, **{field: cut}), "ada", "git")


def test_a_key_of_one_envelope_opens_no_other() -> None:
    one, two = ENVELOPES.seal(PAYLOAD, "ada", "git"), ENVELOPES.seal(PAYLOAD, "ada", "git")
    with pytest.raises(Unreadable):
        ENVELOPES.open(msgspec.structs.replace(one, wrapped_key=two.wrapped_key), "ada", "git")


def test_another_installations_key_does_not_open_it_and_an_older_one_of_ours_does() -> None:
    sealed = Envelopes(KeyRing([OLD]), os.urandom).seal(PAYLOAD, "ada", "git")
    assert sealed.key_id == key_id(OLD)
    assert ENVELOPES.open(sealed, "ada", "git") == PAYLOAD
    with pytest.raises(Unreadable, match=f"encrypted with key {key_id(OLD)}"):
        Envelopes(KeyRing([FOREIGN]), os.urandom).open(sealed, "ada", "git")
    pretended = msgspec.structs.replace(sealed, key_id=key_id(FOREIGN))
    with pytest.raises(Unreadable, match="changed"):
        Envelopes(KeyRing([FOREIGN]), os.urandom).open(pretended, "ada", "git")


def test_a_key_file_has_one_key_per_line_the_newest_first(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{NEW.hex()}\n{OLD.hex()}\n")
    ring = read_key_ring(file)
    assert (ring.newest, ring.key(key_id(OLD)), ring.key("other")) == (key_id(NEW), OLD, None)


@pytest.mark.parametrize("content", ["", "\n", "abc", "00" * 31, "zz" * 32, f"{'00' * 32} x"])
def test_a_file_without_good_keys_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    with pytest.raises(BadKeyFile) as refused:
        read_key_ring(file)
    assert "keys" in str(refused.value)
    assert not content.strip() or content.strip() not in str(refused.value)


def test_missing_key_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match=r"cannot read .*none"):
        read_key_ring(tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(BadKeyFile, match="is empty"):
        read_task_key(tmp_path / "empty")
