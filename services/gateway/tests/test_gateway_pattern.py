"""Searching with a stranger's pattern: the same answers as Python's engine, in linear time, or a refusal in words."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo_domain.errors import Rejected
from osmo_gateway.pattern.search import compile_search

LINES = ["", "a", "error: 42", "ERROR 7", "foo.bar baz", "aaaa", "ab" * 5, "x=1, y=22", "tab\there", "naïve ünï", "end"]


@pytest.mark.parametrize(
    "pattern",
    [
        "error", "err.r", "^error", "42$", "^$", "^", "$", r"\d+", r"\d{2}", r"\bbar\b", r"\Bar", "(?i)error", "a+b*", "(ab)+$",
        "(a|b)*abb?", "[a-c]x?", "[^a-z ]+", "a{2,3}$", "a{0}b", "x*", "(?:foo|bar) (?:baz|qux)", r"\w+=\d", r"\s", r"\S+\t",
        "[ïü]", ".", "a.*d", "(?s)a.*b", "a*?b", "()", "a||b", r"[\d,]+", r"\.", "(?P<n>a)b", r"\Aerror", r"42\Z", "(?i)[X-Z]=",
    ],
)  # fmt: skip
def test_it_finds_what_pythons_engine_finds(pattern: str) -> None:
    search, expected = compile_search(pattern), re.compile(pattern)
    for line in LINES:
        assert search(line) == bool(expected.search(line)), (pattern, line)


@given(
    st.recursive(
        st.sampled_from(["a", "b", ".", "[ab]", "^", "$", r"\b", "c"]),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{0,2}", "{2}", "*?"])).map(
                lambda pair: f"(?:{pair[0]}){pair[1]}"
            ),
        ),
        max_leaves=8,
    ),
    st.text(alphabet="abc ", max_size=8),
)
def test_it_agrees_with_pythons_engine_on_any_small_pattern(pattern: str, line: str) -> None:
    assert compile_search(pattern)(line) == bool(re.search(pattern, line))


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", "(a*)*b", ".*.*.*=.*", "(a|aa)+c", "(.*a){12}c", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_patterns_that_hang_others_take_no_time(pattern: str) -> None:
    search = compile_search(pattern)
    began = time.monotonic()
    search("a" * 30_000 + "!")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "a**", "(a)\\1", "(?=a)", "(?<!a)b", "(?:a{1000}){1000}", "a" * 1001, "(" * 200, "(?P<x", "\\"],
)
def test_what_cannot_be_searched_for_is_refused(pattern: str) -> None:
    with pytest.raises(Rejected) as refused:
        compile_search(pattern)
    assert refused.value.code == "query.bad_regex"
