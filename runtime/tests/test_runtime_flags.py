"""The flags of the user container."""

import pytest

from osmo_runtime.user.flags import BadFlags, user_job
from osmo_runtime.user.job import Checkpoint


def test_a_value_follows_its_flag_or_an_equals_sign() -> None:
    words = ["-socketPath", "/s", "-commands=bash", "-commands", "-c", "-args=--x=1", "-args", "-args", "-args="]
    job = user_job(words, {"PATH": "/bin"})
    assert job.argv == ("bash", "-c", "--x=1", "-args", "")
    assert str(job.socket) == "/s"
    assert job.environment == {"PATH": "/bin:/osmo/usr/bin"}


def test_checkpoints_are_read_with_their_regex_whole() -> None:
    job = user_job(["-checkpoint=/a;s3://b/c;30;x;y", "-commands", "x"], {})
    assert job.checkpoints == (Checkpoint("/a", "s3://b/c", 30, "x;y"),)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "-commands is missing: there is nothing to run"),
        (["-commands"], "-commands has no value"),
        (["-enableRsync", "-commands", "x"], "-enableRsync is no flag of the user container"),
        (["-checkpoint", "/a;b", "-commands", "x"], "-checkpoint '/a;b' is not <path>;<url>;<seconds>;<regex>"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], why: str) -> None:
    with pytest.raises(BadFlags) as raised:
        user_job(words, {})
    assert str(raised.value) == why
