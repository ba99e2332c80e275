import pytest

from osmo_runtime.user.lines import LONGEST_LINE, LineCutter


def test_only_whole_lines_pass_and_the_last_at_the_end() -> None:
    cutter = LineCutter()
    assert cutter.feed(b"one\ntw") == "one"
    assert cutter.feed(b"o") is None
    assert cutter.feed(b"\n\nthree") == "two\n"
    assert cutter.finish() == "three"
    assert cutter.finish() is None


@pytest.mark.parametrize("character", ["ä", "€", "𝄞"])
@pytest.mark.parametrize("shift", range(4))
def test_an_endless_line_is_cut_between_characters(character: str, shift: int) -> None:
    text = "x" * shift + character * LONGEST_LINE
    raw = text.encode()
    cutter = LineCutter()
    pieces = [piece for start in range(0, len(raw), 4097) if (piece := cutter.feed(raw[start : start + 4097]))]
    assert "".join([*pieces, cutter.finish() or ""]) == text
    assert pieces
