"""Selectors of labels: what they match, and what is none."""

import pytest

from osmo_domain.errors import Rejected
from osmo_gateway.label_selector import parse_selector


@pytest.mark.parametrize(
    ("text", "key", "patterns"),
    [
        ("team=red", "team", ("red",)),
        ("team=*", "team", ("*",)),
        ("example.com/team=re*", "example.com/team", ("re*",)),
        ("team=(red|blue)-*", "team", ("red-*", "blue-*")),
        ("team=(a|b)(1|2)", "team", ("a1", "a2", "b1", "b2")),
        (" team = red ", "team", ("red",)),
    ],
)
def test_a_selector_is_a_key_and_patterns(text: str, key: str, patterns: tuple[str, ...]) -> None:
    match = parse_selector(text)
    assert (match.key, match.patterns) == (key, patterns)


NONE = ("team", "=red", "te am=red", "team=", "team=a b", "team=(a)", "team=(a|)", "team=(a|b", "team=a)b", "team=a|b")
TOO_MUCH = ("team=((a|b)|c)", "team=-x", f"team={'(a|b)' * 6}", f"team={'a' * 5000}", f"team={'a' * 64}")


@pytest.mark.parametrize("text", [*NONE, *TOO_MUCH])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_selector(text)
    assert (refusal.value.code, refusal.value.error_code) == ("query.bad_label_selector", "USAGE")
