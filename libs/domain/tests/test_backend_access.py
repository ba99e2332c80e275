"""Tokens of agents as their records tell of them, and which versions fit together."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo_domain.backend_access import (
    TOKENS_AT_ONCE,
    BackendAccess,
    Skew,
    check_version,
    decide_issue,
    decide_revoke,
    decide_rotate,
    digest,
    make_token,
    skew,
    token_id,
)
from osmo_domain.errors import Rejected

T0 = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("1.4.2", "1.4.2", Skew.SAME),
        ("1.4.2", "1.4.9", Skew.NEAR),
        ("1.4.2", "1.3.0", Skew.NEAR),
        ("1.4.2", "1.5.0", Skew.NEAR),
        ("1.4.2", "1.5", Skew.NEAR),
        ("1.4.2", "1.2.9", Skew.FAR),
        ("1.4.2", "1.10.0", Skew.FAR),
        ("1.4.2", "2.4.2", Skew.FOREIGN),
        ("1.4.2", "0.4.2", Skew.FOREIGN),
        ("1.4.2", "", Skew.FOREIGN),
        ("1.4.2", "1", Skew.FOREIGN),
        ("1.4.2", "v1.4.2", Skew.FOREIGN),
        ("1.4.2", "1.4x.2", Skew.FOREIGN),
        ("0.1.0", "0.1.0.dev3+local", Skew.NEAR),
    ],
)
def test_versions_one_minor_apart_are_supported_and_another_major_is_refused(
    ours: str, theirs: str, expected: Skew
) -> None:
    assert skew(ours, theirs) is expected
    if expected is Skew.FOREIGN:
        with pytest.raises(Rejected, match="same major version"):
            check_version(ours, theirs)
    else:
        check_version(ours, theirs)


def apply(access: BackendAccess, events: list, at: datetime) -> None:
    for event in events:
        access.fold(event, "ann", at)


def test_a_third_token_is_not_issued_beside_two_that_are_good() -> None:
    access = BackendAccess()
    for number in range(TOKENS_AT_ONCE):
        apply(access, decide_issue(access, "lab", make_token("lab", f"{number:064x}"), T0), T0)
    with pytest.raises(Rejected) as refused:
        decide_issue(access, "lab", make_token("lab", "f" * 64), T0)
    assert refused.value.code == "backend.too_many_tokens"
    assert decide_issue(access, "hall", make_token("hall", "f" * 64), T0)


MOVES = st.lists(
    st.tuples(st.sampled_from(["issue", "rotate", "revoke", "revoke one"]), st.integers(0, 3), st.integers(0, 120)),
    max_size=12,
)


@given(MOVES)
def test_whatever_is_done_no_more_than_two_tokens_are_good_and_none_comes_back(
    moves: list[tuple[str, int, int]],
) -> None:
    access, now = BackendAccess(), T0
    made: list[str] = []
    ended: set[str] = set()
    for number, (move, which, minutes) in enumerate(moves):
        now += timedelta(minutes=minutes)
        token = make_token("lab", f"{number:064x}")
        try:
            match move:
                case "issue":
                    events = decide_issue(access, "lab", token, now)
                case "rotate":
                    events = decide_rotate(access, "lab", token, now, now + timedelta(hours=which))
                case "revoke":
                    events = decide_revoke(access, "lab", "", now)
                case _:
                    wanted = token_id(made[which % len(made)]) if made else "none"
                    events = decide_revoke(access, "lab", wanted, now)
        except Rejected:
            continue
        apply(access, events, now)
        if move in ("issue", "rotate"):
            made.append(token)
        valid = {one.sha256 for one in access.valid("lab", now)}
        assert len(valid) <= TOKENS_AT_ONCE
        ended |= {digest(one) for one in made} - valid
        assert not valid & ended
        for one in made:
            if digest(one) in valid:
                assert access.of(one, now)[0] == "lab"
            else:
                with pytest.raises(Rejected):
                    access.of(one, now)


def test_nothing_that_is_kept_shows_a_token() -> None:
    access = BackendAccess()
    token = make_token("lab", "ab" * 32)
    apply(access, decide_issue(access, "lab", token, T0), T0)
    assert token not in repr(access)
    assert "ab" * 32 not in repr(access)
