"""Label selectors of the workflow list: `key=value`, where the value may hold `*` and alternatives in parentheses: `team=(red|blue)-*`."""

import itertools
import re
from typing import Final

from osmo_domain.errors import Rejected
from osmo_domain.labels import is_label_key, is_label_value
from osmo_views.ports import LabelMatch

_MOST_PATTERNS: Final = 32
_MOST_BYTES: Final = 4096
_ALTERNATIVES: Final = re.compile(r"\(([^()]*)\)")


def parse_selector(text: str) -> LabelMatch:
    """Raises Rejected (USAGE) for what is no selector."""
    key, equals, value = text.partition("=")
    if len(text.encode(errors="replace")) > _MOST_BYTES:
        raise _bad(text[:60] + "...", f"it is longer than {_MOST_BYTES} bytes")
    if not equals or not key.strip():
        raise _bad(text, "it must look like key=value")
    if not is_label_key(key.strip()):
        raise _bad(text, f"{key.strip()} cannot be the key of a label")
    return LabelMatch(key.strip(), _patterns(text, value.strip()))


def _patterns(text: str, value: str) -> tuple[str, ...]:
    pieces = _ALTERNATIVES.split(value)
    if any(bracket in piece for piece in pieces for bracket in "()"):
        raise _bad(text, "parentheses must be closed and cannot be nested")
    choices = [piece.split("|") if place % 2 else [piece] for place, piece in enumerate(pieces)]
    if any(len(choice) < 2 or "" in choice for choice in choices[1::2]):
        raise _bad(text, "parentheses hold at least two alternatives, with | between them and none of them empty")
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MOST_PATTERNS:
        raise _bad(text, f"its alternatives make more than {_MOST_PATTERNS} patterns")
    patterns = tuple("".join(parts) for parts in itertools.product(*choices))
    for pattern in patterns:
        if not is_label_value(pattern.replace("*", "a")):
            raise _bad(text, f'"{pattern}" matches no value that a label can have')
    return patterns


def _bad(text: str, why: str) -> Rejected:
    return Rejected("query.bad_label_selector", f'"{text}" is not a label selector: {why}.', error_code="USAGE")
