"""YAML in and out: YAML 1.1 meanings, places, and texts that are meant to hurt. The expected meanings were read off PyYAML 6.0.3."""

import math
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo_domain.errors import Rejected
from osmo_domain.spec.dump import dump_yaml
from osmo_domain.spec.parse import parse_yaml
from osmo_domain.spec.scalars import meaning
from osmo_domain.spec.tree import MapNode, find_path, plain

MEANINGS: list[tuple[str, Any]] = [
    ("yes", True),
    ("ON", True),
    ("off", False),
    ("y", "y"),
    ("N", "N"),
    ("tRue", "tRue"),
    ("~", None),
    ("", None),
    ("NULL", None),
    ("010", 8),
    ("08", "08"),
    ("0o7", "0o7"),
    ("0x1F", 31),
    ("0b101", 5),
    ("1_000", 1000),
    ("1:30", 90),
    ("-1:30", -90),
    ("1:30.5", 90.5),
    ("1e3", "1e3"),
    ("1.0e3", "1.0e3"),
    ("1.0e+3", 1000.0),
    ("5.", 5.0),
    (".5", 0.5),
    ("-.5", "-.5"),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("2024-01-02", date(2024, 1, 2)),
    ("2024-1-2", "2024-1-2"),
    ("2001-12-14T21:59:43Z", datetime(2001, 12, 14, 21, 59, 43, tzinfo=UTC)),
    ("2001-12-14 21:59:43.10 -5", datetime(2001, 12, 14, 21, 59, 43, 100000, timezone(timedelta(hours=-5)))),
    ("python:3.10", "python:3.10"),
    ("+", "+"),
    ("..", ".."),
]


@pytest.mark.parametrize(("word", "value"), MEANINGS)
def test_unquoted_words_mean_what_yaml_1_1_says(word: str, value: Any) -> None:
    found = meaning(word)
    assert found == value
    assert type(found) is type(value)


def test_every_node_knows_its_place() -> None:
    root = parse_yaml("workflow:\n  tasks:\n  - name: a\n    args: [x, 'y']\n")
    assert isinstance(root, MapNode)
    assert find_path(root, 4, 15) == "workflow.tasks[0].args[1]"
    assert find_path(root, 4, 5) == "workflow.tasks[0].args"
    assert find_path(root, 9, 9) is None


def test_anchors_aliases_and_merge_keys() -> None:
    text = "a: &x {one: 1, two: 2}\nb: *x\nc: {<<: *x, two: 3}\nd: {<<: [{e: 1}, {e: 2, f: 3}]}\n"
    root = parse_yaml(text)
    assert root is not None
    assert plain(root) == {
        "a": {"one": 1, "two": 2},
        "b": {"one": 1, "two": 2},
        "c": {"one": 1, "two": 3},
        "d": {"e": 1, "f": 3},
    }


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: b: c", "yaml.syntax", (1, 5)),
        ("a: [1", "yaml.syntax", (2, 1)),
        ("a: 1\nb: 2\na: 3\n", "yaml.duplicate_key", (3, 1)),
        ("x: {{ y }}", "yaml.key", (1, 5)),
        ("--- 1\n--- 2\n", "yaml.documents", (2, 1)),
        ("a: !!python/object:os.system x", "yaml.tag", (1, 4)),
        ("a: !!binary aGk=", "yaml.tag", (1, 4)),
        ("a: 2024-13-45", "yaml.value", (1, 4)),
        ("a: " + "9" * 5000, "yaml.value", (1, 4)),
        ("a: *b", "yaml.alias", (1, 4)),
        ("a: &a [*a]", "yaml.alias", (1, 8)),
        ("a: {<<: 1}", "yaml.merge", (1, 9)),
        ("[" * 500, "yaml.depth", (1, 101)),
        ("\x00", "yaml.syntax", (None, None)),
        ("a: \ud800", "yaml.syntax", (None, None)),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_place(text: str, code: str, place: tuple[int | None, int | None]) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_yaml(text)
    assert refusal.value.code == code
    assert refusal.value.error_code == "USAGE"
    assert (refusal.value.line, refusal.value.column) == place


def test_an_alias_bomb_is_defused() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(Rejected) as refusal:
        parse_yaml("\n".join(levels))
    assert refusal.value.code == "yaml.aliases"


def test_deep_nesting_costs_nothing_and_ends_nothing() -> None:
    started = time.perf_counter()
    for text in ("[" * 1_000_000, "{a: " * 300_000, "- " * 500_000):
        with pytest.raises(Rejected):
            parse_yaml(text)
    assert time.perf_counter() - started < 5


WORDS = st.sampled_from(
    [word for word, _ in MEANINGS] + ["a b", "- x", "x: y", "#c", "=", "<<", "{{output}}/f", "é", "a\nb\n"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | WORDS
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]))
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


@given(DOCUMENTS)
def test_what_is_dumped_is_read_back(document: Any) -> None:
    node = parse_yaml(dump_yaml(document))
    assert (plain(node) if node is not None else None) == document


def test_dumps_look_like_those_of_the_reference() -> None:
    document = {"b": ["1", 1, True, None], "a": {"on": "yes", "x": "{{output}}"}, "e": [], "f": {}, "g": 1e20}
    assert dump_yaml(document) == (
        "a:\n  'on': 'yes'\n  x: '{{output}}'\nb:\n- '1'\n- 1\n- true\n- null\ne: []\nf: {}\ng: 1.0e+20\n"
    )
