"""The query of a request, read into the Struct that declares it: a field is a parameter, with its type, its default and its bounds.

proto/openapi.json is made of the same Structs. A field that is a tuple may be given many times. Parameters that nobody declared are passed over.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, Final, Protocol, TypeVar

from msgspec import NODEFAULT, Meta, Struct, inspect

from osmo_api.http import Problem
from osmo_domain.errors import ErrorCode, Rejected
from osmo_gateway.http.params import BadRequest

Q = TypeVar("Q", bound=Struct)

LARGEST: Final = 2**31 - 1
"""What a whole number may be, and its negative."""

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,10}")
_TRUE: Final = frozenset({"true", "1", "on", "yes", "t", "y"})
_FALSE: Final = frozenset({"false", "0", "off", "no", "f", "n"})


class Given(Protocol):
    """What was said behind `?`: names, each with its texts."""

    def __contains__(self, name: object) -> bool: ...
    def getall(self, key: str) -> list[str]: ...


def within(code: str, least: int, most: int | None = None, *, error_code: ErrorCode = "USER", about: str = "") -> Meta:
    """The bounds of a whole number: outside of them the request is refused with `code`."""
    return Meta(ge=least, le=most, description=about or None, extra={"code": code, "error_code": error_code})


def read_query(given: Given, kind: type[Q]) -> Q:
    """Raises BadRequest with everything that cannot be read, else Rejected for what is out of its bounds."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for one in parameters_of(kind):
        if one.name in given:
            values[one.name] = one.value(given.getall(one.name), problems)
        elif one.required:
            problems.append(Problem("missing", ("query", one.name), "this parameter is required"))
    if problems:
        raise BadRequest(problems)
    for one in parameters_of(kind):
        one.check(values.get(one.name))
    return kind(**values)


class Unreadable(Exception):
    """A text is no value of its type."""

    def __init__(self, type_: str, expected: str) -> None:
        super().__init__(expected)
        self.type = type_
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Bounds:
    least: int
    most: int | None
    code: str
    error_code: ErrorCode

    def words(self) -> str:
        if self.most is not None:
            return f"must be from {self.least} to {self.most}"
        return f"must be at least {self.least}" if self.least else "must not be negative"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a query, made ready to read what is given for it."""

    name: str
    many: bool
    required: bool
    read: Callable[[str], object]
    bounds: Bounds | None

    def value(self, texts: list[str], problems: list[Problem]) -> object:
        """The first that was given, or all of them for a list; what cannot be read is noted."""
        found = []
        for text in texts if self.many else texts[:1]:
            try:
                found.append(self.read(text))
            except Unreadable as wrong:
                problems.append(Problem(wrong.type, ("query", self.name), wrong.expected, text))
                found.append(None)
        return tuple(found) if self.many else found[0]

    def check(self, value: object) -> None:
        bounds = self.bounds
        if bounds is None or not isinstance(value, int):
            return
        if value < bounds.least or (bounds.most is not None and value > bounds.most):
            raise Rejected(bounds.code, f"{self.name} {bounds.words()}.", error_code=bounds.error_code)


@cache
def parameters_of(kind: type[Struct]) -> tuple[Parameter, ...]:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return tuple(_parameter(field) for field in found.fields)


def _parameter(field: inspect.Field) -> Parameter:
    kind, many = _without_none(field.type), False
    if isinstance(kind, inspect.VarTupleType):
        kind, many = kind.item_type, True
    plain = kind.type if isinstance(kind, inspect.Metadata) else kind
    required = field.required and field.default is NODEFAULT
    return Parameter(field.encode_name, many, required, _reader(plain), _bounds(kind))


def _without_none(kind: inspect.Type) -> inspect.Type:
    if not isinstance(kind, inspect.UnionType):
        return kind
    (only,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
    return only


def _bounds(kind: inspect.Type) -> Bounds | None:
    if not isinstance(kind, inspect.Metadata) or not isinstance(kind.type, inspect.IntType) or not kind.extra:
        return None
    assert kind.type.ge is not None
    return Bounds(kind.type.ge, kind.type.le, kind.extra["code"], kind.extra["error_code"])


def _reader(kind: inspect.Type) -> Callable[[str], object]:
    match kind:
        case inspect.StrType():
            return str
        case inspect.IntType():
            return _whole
        case inspect.BoolType():
            return _flag
        case inspect.DateTimeType():
            return _moment
        case inspect.EnumType(cls=words):
            return lambda text: _word(words, text)
    raise TypeError(f"no query parameter can be a {kind}")


def _whole(text: str) -> int:
    number = int(text) if _WHOLE.fullmatch(text) else None
    if number is None or abs(number) > LARGEST:
        raise Unreadable("int_parsing", "expected a whole number")
    return number


def _flag(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE and word not in _FALSE:
        raise Unreadable("bool_parsing", "expected true or false")
    return word in _TRUE


def _moment(text: str) -> datetime:
    """ISO, with `T` or a space; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable("datetime_parsing", "expected a date and time like 2026-11-20T11:30:00") from None


def _word(words: type[Enum], text: str) -> Enum:
    try:
        return words(text)
    except ValueError:
        raise Unreadable("enum", f"expected one of {', '.join(str(one.value) for one in words)}") from None
