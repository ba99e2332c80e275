"""The types of values in a spec, each with its words and its rule."""

import re
import shlex
import warnings
from collections.abc import Callable
from typing import Final, TypeVar

from osmo_domain.durations import parse_duration
from osmo_domain.errors import Rejected
from osmo_domain.ids import NAME_PATTERN
from osmo_domain.quantities import UNITS, parse_quantity
from osmo_domain.spec.images import is_image
from osmo_domain.spec.schema import Type, expected, list_of, map_of
from osmo_domain.spec.tree import ListNode, MapNode, Node, ScalarNode, refused
from osmo_domain.spec.uris import SCHEMES, is_storage_uri

T = TypeVar("T")
V = TypeVar("V")

MOST_COUNT: Final = 2**31 - 1
MOST_REGEX: Final = 1000
_TRUTH: Final = {
    **dict.fromkeys(("true", "yes", "on", "1", "t", "y"), True),
    **dict.fromkeys(("false", "no", "off", "0", "f", "n"), False),
}
_CODES: Final = re.compile(r"[0-9]{1,9}(?:-[0-9]{1,9})?(?:,[0-9]{1,9}(?:-[0-9]{1,9})?)*")
_ACTIONS: Final = ("COMPLETE", "FAIL", "RESCHEDULE")


def _text(node: Node) -> str:
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, str):
        if "\0" in value:
            raise refused(node, "spec.nul", "Text cannot hold the character NUL.")
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise expected(node, "text")


def _only_text(node: Node) -> str:
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return _text(node)
    raise expected(node, "text: put it in quotes")


def _stringified(node: Node) -> str:
    """Scalars as Python writes them, as the reference does: `true` becomes `True`."""
    if isinstance(node, ScalarNode) and node.value is not None:
        return _text(node) if isinstance(node.value, str) else str(node.value)
    raise expected(node, "text, a number, true or false")


def _flag(node: Node) -> bool:
    value = node.value if isinstance(node, ScalarNode) else None
    known = value if isinstance(value, bool) else _TRUTH.get(str(value).lower())
    if known is None:
        raise expected(node, "true or false")
    return known


def _whole(node: Node) -> int:
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise expected(node, "a whole number")
    try:
        number = int(value)
    except (ValueError, OverflowError):
        raise expected(node, "a whole number") from None
    if isinstance(value, float) and value != number:
        raise expected(node, "a whole number")
    if abs(number) > MOST_COUNT:
        raise refused(node, "spec.number", f"{value} is more than can be counted.")
    return number


def _name(node: Node) -> str:
    text = _text(node)
    if not NAME_PATTERN.fullmatch(text):
        raise refused(
            node,
            "spec.name",
            f'"{text[:80]}" cannot be a name: a letter first, then letters, digits, "-" and "_", a letter or digit last.',
        )
    return text


def _quantity(node: Node) -> int:
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise expected(node, "an amount like 512Mi or 1.5Gi")
    return _placed(node, parse_quantity, value)


def _duration(node: Node) -> float:
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise expected(node, "a length of time like 90, 30m or 1h30m")
    return _placed(node, parse_duration, value)


def _placed(node: Node, parse: Callable[[V], T], value: V) -> T:
    """What `parse` gives; what it refuses is refused at this node."""
    try:
        return parse(value)
    except Rejected as error:
        raise refused(node, error.code, error.message, error.error_code) from error


def _command(node: Node) -> tuple[str, ...]:
    """A list of words, or one text that is split as a shell would split it."""
    if isinstance(node, ListNode):
        words = tuple(_text(item) for item in node.items)
    elif isinstance(node, ScalarNode) and isinstance(node.value, str):
        words = _split(node, _text(node))
    else:
        raise expected(node, "a list of text (or one text, split as a shell does)")
    if not words or not words[0]:
        raise refused(node, "spec.empty_command", "The command is empty: name at least the program.")
    return words


def _split(node: Node, text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise refused(node, "spec.command", f"The command cannot be split into words: {error}.") from error


def _image(node: Node) -> str:
    text = _text(node)
    if not is_image(text):
        raise refused(
            node, "spec.image", f'"{text[:120]}" is not an image like alpine:3 or host:5000/team/name@sha256:....'
        )
    return text


def _regex(node: Node) -> str:
    text = _text(node)
    if len(text) > MOST_REGEX:
        raise refused(node, "spec.regex", f"A regular expression has at most {MOST_REGEX} characters.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise refused(node, "spec.regex", f'"{text[:80]}" is not a regular expression: {error}.') from error
    return text


def _storage_uri(node: Node) -> str:
    text = _text(node)
    if not is_storage_uri(text):
        raise refused(
            node,
            "spec.uri",
            f'"{text[:120]}" is not a place in storage like s3://bucket/path (s3, gs, azure, tos, swift, file).',
        )
    return text


def _exit_actions(node: Node) -> dict[str, str]:
    if not isinstance(node, MapNode):
        raise expected(node, "a map of COMPLETE, FAIL or RESCHEDULE to exit codes")
    return dict(_exit_action(place, value) for place, value in node.entries.values())


def _exit_action(place: ScalarNode, value: Node) -> tuple[str, str]:
    action = str(place.value).upper()
    if action not in _ACTIONS:
        raise refused(
            place, "spec.exit_action", f"`{place.value}` is not an exit action; there are {', '.join(_ACTIONS)}."
        )
    codes = _stringified(value)
    if not _CODES.fullmatch(codes):
        raise refused(value, "spec.exit_codes", f'"{codes[:80]}" are not exit codes like 1,3-7 (no spaces).')
    return action, codes


def _environment(node: Node) -> dict[str, str]:
    values = _TEXTS_BY_NAME.read(node)
    for name in values:
        if not name or "=" in name or "\0" in name:
            raise refused(node, "spec.env_name", f'"{name}" cannot be the name of an environment variable.')
    return values


def _credential(node: Node) -> str | dict[str, str]:
    return _TEXTS_BY_NAME.read(node) if isinstance(node, MapNode) else _stringified(node)


def one_of(*words: str) -> Type[str]:
    """One of these words, exactly."""
    said = " or ".join(words)

    def read(node: Node) -> str:
        text = _text(node)
        if text not in words:
            raise refused(node, "spec.choice", f'This must be {said}, and it is "{text[:80]}".')
        return text

    return Type(said, read)


TEXT: Final = Type("text", _text, ("A number counts as the text of it; true and false do not.",))
ONLY_TEXT: Final = Type("text", _only_text, ("A number needs quotes to be text.",))
STRINGIFIED: Final = Type("text, a number, true or false", _stringified)
FLAG: Final = Type("true or false", _flag)
WHOLE: Final = Type("a whole number", _whole)
NAME: Final = Type(
    "a name",
    _name,
    (
        'A letter first, then letters, digits, "-" and "_", a letter or digit last. The installation limits its length (64).',
    ),
)
QUANTITY: Final = Type(
    "an amount like 512Mi",
    _quantity,
    (f"Units: {', '.join(UNITS)}. All are binary: G and Gi are both 2^30 bytes. A bare number is bytes.",),
)
DURATION: Final = Type(
    "a length of time like 1h30m",
    _duration,
    (
        "Seconds as a number; or parts with the units d, h, m, s, ms, us (`90m`, `1.5d`, `1h30m`); or ISO 8601 (`P1DT2H`).",
    ),
)
COMMAND: Final = Type(
    "a list of text, or one text that is split as a shell does",
    _command,
    ("It may not be empty. No shell runs unless you name one: `[sh, -c]`.",),
)
IMAGE: Final = Type(
    "an image",
    _image,
    ("[host[:port]/]path[:tag][@digest], the path in lower case, like nvcr.io/nvidia/pytorch:24.01-py3.",),
)
REGEX: Final = Type(
    "a regular expression",
    _regex,
    (
        f"As Python has them, at most {MOST_REGEX} characters; it is matched from the start of the path, so `.*` before a suffix is needed.",
    ),
)
STORAGE_URI: Final = Type(
    "a place in storage like s3://bucket/path",
    _storage_uri,
    (f"The schemes are {', '.join(SCHEMES)}. None of `,` `;` `*` may stand in it.",),
)
EXIT_ACTIONS: Final = Type(
    "a map of COMPLETE, FAIL or RESCHEDULE to exit codes",
    _exit_actions,
    (
        "Codes are numbers and ranges with commas and no spaces: `0`, `1-255`, `20-29,137`. The first entry that matches wins.",
        "Codes above 255 are of the system: 2010 to 2014 for data, 3000 to 3006 for upstream, backend, start, eviction, preemption.",
    ),
)
_TEXTS_BY_NAME: Final = map_of(STRINGIFIED)
ENVIRONMENT: Final = Type(
    "a map of names to text", _environment, ("Numbers and yes-or-no values count as text: `true` becomes `True`.",)
)
CREDENTIAL: Final = Type(
    "a directory, or a map of variable names to keys",
    _credential,
    ("A directory gets one file per key of the credential; a map sets each variable to the value of that key.",),
)
CREDENTIALS: Final = map_of(CREDENTIAL)
TEXTS: Final = list_of(TEXT, words="a list of text")
