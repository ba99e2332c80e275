"""What an unquoted YAML word means: the rules of YAML 1.1 as PyYAML's safe_load has them, because that is what users' files were written for.

So `yes`, `on` and `No` are booleans, `010` is eight, `1:30` is ninety, `1e3` is text, `y` is text.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from osmo_domain.spec.tree import Scalar

_WORDS: Final[dict[str, bool | None]] = {
    **{word: True for stem in ("yes", "true", "on") for word in (stem, stem.capitalize(), stem.upper())},
    **{word: False for stem in ("no", "false", "off") for word in (stem, stem.capitalize(), stem.upper())},
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_NUMBER_STARTS: Final = frozenset("+-.0123456789")

_INT: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<binary>[01_]+)|0(?P<octal>[0-7_]+)|0x(?P<hexadecimal>[0-9a-fA-F_]+)"
    r"|(?P<sixty>[1-9][0-9_]*(?::[0-5]?[0-9])+)|(?P<decimal>0|[1-9][0-9_]*))"
)
_BASES: Final = {"binary": 2, "octal": 8, "hexadecimal": 16, "decimal": 10}
_FLOAT: Final = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*"
)
_SPECIAL_FLOAT: Final = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?"
    r"(?:[ \t]*(?:(Z)|([-+])([0-9]{1,2})(?::?([0-9]{2}))?))?"
)


def meaning(word: str) -> Scalar:
    """The value of an unquoted scalar. ValueError for a number or date that cannot be (`2024-13-45`)."""
    if word in _WORDS:
        return _WORDS[word]
    if word[0] not in _NUMBER_STARTS:
        return word
    for read in (_integer, _real, _moment):
        value = read(word)
        if value is not None:
            return value
    return word


def typed(word: str, tag: str) -> Scalar:
    """The value of a scalar with an explicit standard tag (`!!int "5"`). ValueError where the word is not one."""
    value: Scalar = word if tag == "str" else _TYPED[tag](word)
    if value is None and tag != "null":
        raise ValueError(f"{word!r} is no {tag}")
    return value


def _integer(word: str) -> int | None:
    found = _INT.fullmatch(word)
    if found is None:
        return None
    sign = -1 if found["sign"] == "-" else 1
    if found["sixty"]:
        return sign * int(_sixties(found["sixty"]))
    for name, base in _BASES.items():
        if found[name]:
            return sign * int(found[name].replace("_", "") or "0", base)
    return None


def _real(word: str) -> float | None:
    special = _SPECIAL_FLOAT.fullmatch(word)
    if special is not None:
        return float(word.lower().replace(".", "", 1))
    if not _FLOAT.fullmatch(word):
        return None
    if ":" in word:
        return -_sixties(word[1:]) if word[0] == "-" else _sixties(word.lstrip("+"))
    return float(word.replace("_", ""))


def _sixties(word: str) -> float:
    total = 0.0
    for part in word.replace("_", "").split(":"):
        total = total * 60 + float(part)
    return total


def _moment(word: str) -> date | None:
    if found := _DATE.fullmatch(word):
        return date(int(found[1]), int(found[2]), int(found[3]))
    found = _TIME.fullmatch(word)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[number]) for number in range(1, 7))
    micros = int((found[7] or "")[:6].ljust(6, "0"))
    return datetime(year, month, day, hour, minute, second, micros, _zone(found))


def _zone(found: re.Match[str]) -> timezone | None:
    if found[8]:
        return UTC
    if not found[9]:
        return None
    offset = timedelta(hours=int(found[10]), minutes=int(found[11] or 0))
    return timezone(-offset if found[9] == "-" else offset)


def _truth(word: str) -> bool | None:
    return _WORDS.get(word.lower()) if word else None


def _number(word: str) -> float | None:
    whole = _integer(word)
    return float(whole) if whole is not None else _real(word)


def _nothing(word: str) -> None:
    if _WORDS.get(word, False) is not None:
        raise ValueError(f"{word!r} is not null")


_TYPED: Final[dict[str, Callable[[str], Scalar]]] = {
    "bool": _truth,
    "int": _integer,
    "float": _number,
    "timestamp": _moment,
    "null": _nothing,
}
