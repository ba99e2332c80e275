"""Query parameters and bodies, checked. Every problem of a request is collected and answered at once (status 422)."""

import re
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from osmo_api.http import Problem

T = TypeVar("T")


class BadRequest(Exception):
    """The shape of the request is wrong; answered with 422."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.msg for problem in problems))
        self.problems = problems


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
