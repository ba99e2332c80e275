"""Queries are read as their Structs declare them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import pytest
from msgspec import Struct
from multidict import MultiDict

from osmo_domain.errors import Rejected
from osmo_gateway.http.params import BadRequest
from osmo_gateway.http.query import read_query, within


class Colour(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


class Everything(Struct, frozen=True):
    word: str
    maybe: str | None = None
    flag: bool = True
    number: int = 20
    bounded: Annotated[int, within("test.bounded", 1, 9)] = 5
    positive: Annotated[int, within("test.positive", 0)] | None = None
    colour: Colour = Colour.RED
    colours: tuple[Colour, ...] = ()
    words: tuple[str, ...] = ()
    since: datetime | None = None


def read(*pairs: tuple[str, str]) -> Everything:
    return read_query(MultiDict(pairs), Everything)


def test_what_is_left_out_is_its_default() -> None:
    assert read(("word", "w")) == Everything("w")


def test_every_type_is_read() -> None:
    given = [
        ("word", "w"), ("maybe", ""), ("flag", "No"), ("number", "+7"), ("bounded", "9"), ("positive", "0"), ("colour", "BLUE"),
        ("colours", "BLUE"), ("colours", "RED"), ("words", "a"), ("words", "b"), ("since", "2026-11-20 11:30:00"), ("unheard", "of"),
    ]  # fmt: skip
    since = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
    assert read(*given) == Everything(
        "w", "", False, 7, 9, 0, Colour.BLUE, (Colour.BLUE, Colour.RED), ("a", "b"), since
    )


def test_the_first_of_several_counts_where_one_is_meant() -> None:
    assert read(("word", "first"), ("word", "second")).word == "first"


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(BadRequest) as caught:
        read(
            ("flag", "perhaps"), ("number", "1.5"), ("bounded", "99999999999"), ("colour", "green"), ("colours", "x"), ("since", "soon")
        )  # fmt: skip
    assert [(one.type, one.loc[1]) for one in caught.value.problems] == [
        ("missing", "word"), ("bool_parsing", "flag"), ("int_parsing", "number"), ("int_parsing", "bounded"), ("enum", "colour"),
        ("enum", "colours"), ("datetime_parsing", "since"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("bounded", "0", "test.bounded", "bounded must be from 1 to 9."),
        ("bounded", "10", "test.bounded", "bounded must be from 1 to 9."),
        ("positive", "-1", "test.positive", "positive must not be negative."),
    ],
)
def test_what_is_out_of_its_bounds_is_refused_with_their_code(name: str, value: str, code: str, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(("word", "w"), (name, value))
    assert (caught.value.code, caught.value.message) == (code, said)
