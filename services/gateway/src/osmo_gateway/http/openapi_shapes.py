"""A path as OpenAPI has it: one for each of the words that a part of it is limited to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_CHOICE: Final = re.compile(r"\{(\w+):([\w|]+)\}")
_PART: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Shape:
    """`parts` are the names of what varies, `words` the word that this shape has where another has another."""

    path: str
    parts: tuple[str, ...]
    words: tuple[str, ...]


def shapes_of(path: str) -> Iterator[Shape]:
    choice = _CHOICE.search(path)
    words = choice[2].split("|") if choice else [""]
    for word in words:
        whole = _CHOICE.sub(word, path)
        yield Shape(whole, tuple(_PART.findall(whole)), (word,) if word else ())
