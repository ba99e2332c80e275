"""Query parameters and bodies, checked. Every problem of a request is collected and answered at once (status 422)."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from osmo_api.http import Problem

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,10}")
_TRUE: Final = frozenset({"true", "1", "on", "yes", "t", "y"})
_FALSE: Final = frozenset({"false", "0", "off", "no", "f", "n"})
_MOST: Final = 2**31 - 1


class BadRequest(Exception):
    """The shape of the request is wrong; answered with 422."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.msg for problem in problems))
        self.problems = problems


class Params:
    """The query of one request. Wrong values are noted and read as their default; `check` raises what was noted."""

    def __init__(self, request: web.Request) -> None:
        self._query = request.query
        self._problems: list[Problem] = []

    def check(self) -> None:
        if self._problems:
            raise BadRequest(self._problems)

    def text(self, name: str) -> str | None:
        return self._query.get(name)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._query.getall(name, ()))

    def whole(self, name: str, default: int) -> int:
        value = self.whole_or_none(name)
        return default if value is None else value

    def whole_or_none(self, name: str) -> int | None:
        given = self._query.get(name)
        if given is None:
            return None
        number = int(given) if _WHOLE.fullmatch(given) else None
        if number is None or abs(number) > _MOST:
            self._note("int_parsing", name, "expected a whole number", given)
            return None
        return number

    def flag(self, name: str, *, default: bool = False) -> bool:
        given = self._query.get(name)
        if given is None:
            return default
        word = given.lower()
        if word not in _TRUE and word not in _FALSE:
            self._note("bool_parsing", name, "expected true or false", given)
        return word in _TRUE

    def word(self, name: str, kind: type[E], default: E) -> E:
        given = self._query.get(name)
        return default if given is None else self._word(name, kind, given) or default

    def words(self, name: str, kind: type[E]) -> tuple[E, ...]:
        found = [self._word(name, kind, given) for given in self._query.getall(name, ())]
        return tuple(word for word in found if word is not None)

    def moment(self, name: str) -> datetime | None:
        """ISO, with `T` or a space; without an offset it is UTC."""
        given = self._query.get(name)
        if given is None:
            return None
        try:
            at = datetime.fromisoformat(given)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            self._note("datetime_parsing", name, "expected a date and time like 2026-11-20T11:30:00", given)
            return None

    def require(self, name: str) -> str:
        given = self._query.get(name)
        if given is None:
            self._note("missing", name, "this parameter is required", None)
        return given or ""

    def _word(self, name: str, kind: type[E], given: str) -> E | None:
        try:
            return kind(given)
        except ValueError:
            self._note("enum", name, f"expected one of {', '.join(kind)}", given)
            return None

    def _note(self, type_: str, name: str, msg: str, given: object) -> None:
        self._problems.append(Problem(type_, ("query", name), msg, given))


class Order(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


_DECODERS: Final[dict[type, msgspec.json.Decoder[object]]] = {}


async def read_body(request: web.Request, kind: type[T]) -> T | None:
    """The JSON body; None where there is no body, whatever its content type says."""
    data = await request.read()
    if not data:
        return None
    decoder = _DECODERS.get(kind) or _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        return decoder.decode(data)  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise BadRequest([_body_problem(str(error))]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest([Problem("json_invalid", ("body",), f"the body is not JSON: {error}")]) from error


_AT: Final = re.compile(r"(?P<said>.*?) - at `\$\.?(?P<path>.*)`")


def _body_problem(said: str) -> Problem:
    """msgspec says where in its words; the wire says it in `loc`."""
    found = _AT.fullmatch(said)
    if found is None:
        return Problem("value_error", ("body",), said)
    places = [place for place in re.split(r"[.\[\]]+", found["path"]) if place]
    return Problem("value_error", ("body", *places), found["said"])
