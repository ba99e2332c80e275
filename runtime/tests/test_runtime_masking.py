"""Secret values in a task's log: masked whole, wherever they stand, in whatever pieces they come."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo_runtime.ctrl.masking import MASK, Masker
from osmo_runtime.pod_secrets import PodSecrets, SecretFile, decode_secrets, encode_secrets, place_of, with_values

SECRET = "correct-horse"


def masked(*values: str, line: str) -> str:
    return Masker(values).lines("STDOUT", [line])[0]


@pytest.mark.parametrize(
    ("values", "line", "said"),
    [
        ((SECRET,), f"{SECRET} and {SECRET}{SECRET}!", f"{MASK} and {MASK}{MASK}!"),
        ((SECRET,), "correct horse", "correct horse"),
        (("1234567",), "1234567", "1234567"),
        (("12345678",), "x12345678x", f"x{MASK}x"),
        (("größer-als",), "größer-als", MASK),
        (("a.b*c+d(e",), "a.b*c+d(e axbbc", f"{MASK} axbbc"),
        (("abcdefgh", "abcdefghijkl"), "abcdefghijkl abcdefgh", f"{MASK} {MASK}"),
        (("abcdefghijkl", "abcdefgh"), "abcdefghijkl", MASK),
        (("  padded value \r\n",), "padded value|  padded value ", f"{MASK}|{MASK}"),
        (("first line\nsecond line\nx",), "second line first line x", f"{MASK} {MASK} x"),
        (("", "\n", " " * 20), " " * 20 + "text", f"{MASK}text"),
    ],
)
def test_every_value_of_eight_characters_is_masked(values: tuple[str, ...], line: str, said: str) -> None:
    assert masked(*values, line=line) == said
    assert Masker(values).text(line) == said


def test_lines_stay_as_many_as_they_are() -> None:
    masker = Masker([SECRET])
    assert masker.lines("STDOUT", ["", SECRET, "", "x"]) == ["", MASK, "", "x"]
    assert masker.lines("STDOUT", []) == []
    assert Masker([]).lines("STDOUT", [SECRET], goes_on=True) == [SECRET]


def test_a_value_is_found_across_the_pieces_of_its_line() -> None:
    masker = Masker([SECRET])
    assert masker.lines("STDOUT", ["whole", "x" * 20 + "corr"], goes_on=True) == ["whole", "x" * 12]
    assert masker.lines("STDERR", ["ect-horse"]) == ["ect-horse"]
    assert masker.lines("STDOUT", ["ect-horse y", "next"]) == ["x" * 8 + f"{MASK} y", "next"]
    assert masker.held_back() == []


def test_what_is_held_back_is_not_lost_when_nothing_follows() -> None:
    masker = Masker([SECRET])
    assert masker.lines("STDOUT", [SECRET[:6]], goes_on=True) == []
    assert masker.lines("STDERR", ["a " + SECRET + "b" * 12], goes_on=True) == [f"a {MASK}"]
    assert masker.held_back() == [("STDOUT", SECRET[:6]), ("STDERR", "b" * 12)]
    assert masker.held_back() == []


TEXTS = st.text(alphabet="abc\r ", max_size=60)
VALUES = st.lists(st.text(alphabet="abc", min_size=8, max_size=12), min_size=1, max_size=3)


@given(VALUES, TEXTS, st.lists(st.integers(0, 100), max_size=6), st.data())
def test_pieces_say_what_the_whole_line_says(
    values: list[str], text: str, cuts: list[int], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(text)))
    line = text[:at] + data.draw(st.sampled_from(values)) + text[at:]
    places = sorted({cut for cut in cuts if 0 < cut < len(line)})
    pieces = [line[start:end] for start, end in zip([0, *places], [*places, len(line)], strict=True)]
    masker = Masker(values)
    said = [piece for part in pieces[:-1] for piece in masker.lines("STDOUT", [part], goes_on=True)]
    said += masker.lines("STDOUT", [pieces[-1]])
    assert "".join(said) == masked(*values, line=line)
    assert not any(value in "".join(said) for value in values)


def test_a_loud_task_is_not_slowed_by_masking() -> None:
    """A million lines a second is far more than any task's log can take: masking costs a fraction of what sending does."""
    masker = Masker([SECRET, *(f"line {number} of some private key" for number in range(30))])
    lines = [f"step {number}: loss 0.123456, accuracy 0.98" for number in range(1000)]
    began = time.perf_counter()
    for _ in range(50):
        masker.lines("STDOUT", lines)
    assert time.perf_counter() - began < 2.5, "50,000 lines"


def test_values_stand_in_the_places_of_their_variables() -> None:
    secrets = PodSecrets({"TOKEN": "s3cret$(X)"})
    words = (f"--token={place_of('TOKEN')}", place_of("OTHER"), "$(TOKEN)", place_of("TOKEN") * 2)
    assert with_values(words, secrets) == (
        "--token=s3cret$(X)",
        place_of("OTHER"),
        "$(TOKEN)",
        "s3cret$(X)s3cret$(X)",
    )
    assert with_values(words, PodSecrets()) == words


def test_secrets_survive_their_file_and_show_no_value() -> None:
    secrets = PodSecrets({"TOKEN": SECRET}, (SecretFile("/s/key", SECRET + "\n"),))
    assert decode_secrets(encode_secrets(secrets)) == secrets
    assert secrets.values() == [SECRET, SECRET + "\n"]
    assert SECRET not in repr([secrets, *secrets.files])
    assert "TOKEN" in repr(secrets)
