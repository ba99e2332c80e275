"""What can be asked over HTTP: the annotations of a handler say what it takes and what it answers, and are what proto/openapi.json is made of.

A handler takes the `request`; a `query` (a Struct, see `query`) where the path has parameters behind `?`; a `body` where it reads one. A body that may
be absent is `X | None`, or a Struct whose fields all have defaults. It answers with `Answer[X]` (JSON), `TextAnswer`, or a StreamResponse, which is
text that is streamed.
"""

import types
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from aiohttp import web
from msgspec import Meta, Struct, structs

from osmo_api.http import Problem
from osmo_gateway.http.params import BadRequest, read_body
from osmo_gateway.http.query import parameters_of, read_query

Handler = Callable[..., Awaitable[web.StreamResponse]]
H = TypeVar("H", bound=Handler)
Shown = Mapping[str, Any]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

SCHEMAS: Final = "#/components/schemas/{name}"

_TAKEN: Final = {"request", "_", "query", "body"}


@dataclass(frozen=True)
class Body:
    """`needed`: without one the request is refused. `instead` makes what the handler gets where there is none."""

    kind: type[Any]
    needed: bool
    instead: Callable[[], object]

    async def read(self, request: web.Request) -> object:
        found = await read_body(request, self.kind)
        if found is None and self.needed:
            raise BadRequest([Problem("missing", ("body",), "a JSON body is required")])
        return self.instead() if found is None else found


@dataclass(frozen=True)
class Endpoint:
    """One method of one path.

    `shown` is what the JSON is like, by the word of the path (`""` where it has none), where the annotation can only say that it is some JSON.
    `headers` are those that the handler reads, with what they mean.
    """

    method: str
    path: str
    handler: Handler
    query: type[Struct] | None
    body: Body | None
    answers: tuple[Any, ...]
    shown: Shown = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What aiohttp calls."""
        given: dict[str, object] = {}
        if self.query is not None:
            given["query"] = read_query(request.query, self.query)
        if self.body is not None:
            given["body"] = await self.body.read(request)
        return await self.handler(request, **given)

    def route(self) -> web.RouteDef:
        return (
            web.get(self.path, self.answer) if self.method == "GET" else web.route(self.method, self.path, self.answer)
        )


class Routes:
    """The endpoints of one file, in the order in which their paths are tried."""

    def __init__(self) -> None:
        self._endpoints: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints)

    def get(self, path: str, shown: Shown = _NOTHING) -> Callable[[H], H]:
        return self._adding("GET", path, shown)

    def post(self, path: str, headers: Mapping[str, str] = _NOTHING) -> Callable[[H], H]:
        return self._adding("POST", path, headers=headers)

    def put(self, path: str, shown: Shown = _NOTHING) -> Callable[[H], H]:
        return self._adding("PUT", path, shown)

    def patch(self, path: str, shown: Shown = _NOTHING) -> Callable[[H], H]:
        return self._adding("PATCH", path, shown)

    def delete(self, path: str) -> Callable[[H], H]:
        return self._adding("DELETE", path)

    def _adding(
        self, method: str, path: str, shown: Shown = _NOTHING, headers: Mapping[str, str] = _NOTHING
    ) -> Callable[[H], H]:
        def add(handler: H) -> H:
            self._endpoints.append(replace(endpoint_of(method, path, handler), shown=shown, headers=headers))
            return handler

        return add


def like(kind: type[Struct]) -> Meta:
    """For a field that holds some JSON: it is like this Struct, which is the `shown` of some endpoint."""
    return Meta(extra_json_schema={"$ref": SCHEMAS.format(name=kind.__name__)})


def endpoint_of(method: str, path: str, handler: Handler) -> Endpoint:
    """Raises TypeError for a handler that takes or answers what no endpoint can."""
    hints = get_type_hints(handler, include_extras=True)
    returned = hints.pop("return")
    if not hints.keys() <= _TAKEN:
        raise TypeError(f"a handler takes request, query and body, not {sorted(hints.keys() - _TAKEN)}")
    query = hints.get("query")
    if query is not None:
        parameters_of(query)
    body = _body(hints["body"]) if "body" in hints else None
    return Endpoint(method, path, handler, query, body, _options(returned))


def _body(hint: Any) -> Body:
    given = [one for one in _options(hint) if one is not type(None)]
    (kind,) = given
    if len(_options(hint)) > len(given):
        return Body(kind, needed=False, instead=lambda: None)
    fillable = (
        isinstance(kind, type)
        and issubclass(kind, Struct)
        and not any(field.required for field in structs.fields(kind))
    )
    return Body(kind, needed=not fillable, instead=kind)


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
