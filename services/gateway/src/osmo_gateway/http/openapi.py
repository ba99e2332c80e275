"""The OpenAPI document of the gateway (proto/openapi.json), made of its endpoints: what is parsed and what is documented is declared once."""

import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, get_args, get_origin

import msgspec
from msgspec import Struct

from osmo_api.http import ErrorAnswer, ProblemsAnswer, ServerErrorAnswer
from osmo_domain.pending import Reason
from osmo_gateway.http.answers import JSON, TEXT, Answer, TextAnswer
from osmo_gateway.http.edge import OPEN, USER_HEADER
from osmo_gateway.http.endpoints import Endpoint
from osmo_gateway.http.openapi_schemas import Json, Schemas, json_kinds, with_codes
from osmo_gateway.http.openapi_shapes import Shape, shapes_of
from osmo_gateway.http.query import LARGEST
from osmo_gateway.http.routing import STREAMED
from osmo_gateway.version import VERSION

_ERRORS: Final = {
    "4XX": ("Refused", ErrorAnswer, "The request is refused, and nothing was changed. `code` says why, and is stable."),
    "422": ("Misshapen", ProblemsAnswer, "The shape of the request is wrong: every problem of it, at once."),
    "500": ("Failed", ServerErrorAnswer, "Something is wrong with the service; `request_id` finds it in its log."),
    "503": ("Unavailable", ServerErrorAnswer, "Something that is needed is away. `Retry-After` says in how many seconds to ask again."),
}  # fmt: skip
_MOMENT: Final = "A date and time (ISO 8601); without an offset it is UTC."
_ABOUT: Final = """The HTTP API of osmo, made from its code.

Every path also takes HEAD where it takes GET; what is not here is answered with 404 or 405, and `detail`. Datetimes in answers are UTC and have no
offset, durations are seconds, amounts of memory and storage of tasks are GiB. Every answer names its request in the header `x-request-id`, which a client may choose. A client that says its version in
`x-osmo-client-version` is told in `x-osmo-warning` (base64) where it is older than the service.

Logs and events are streamed as text, a line at a time, for as long as the workflow runs; they end by themselves. There is no WebSocket here: the
control containers of tasks speak WebSocket with log-router, which AsyncAPI describes (asyncapi.json beside this document)."""


def document_text(endpoints: Sequence[Endpoint], codes: Sequence[str]) -> str:
    """The document as a file, the same for the same code."""
    return json.dumps(document(endpoints, codes), indent=2, sort_keys=True) + "\n"


def document(endpoints: Sequence[Endpoint], codes: Sequence[str]) -> Json:
    """`codes` are the stable ones of refusals."""
    schemas = Schemas(endpoints, [*(kind for _, kind, _ in _ERRORS.values()), Reason])
    paths: Json = {}
    for one in endpoints:
        for shape in shapes_of(one.path):
            paths.setdefault(shape.path, {})[one.method.lower()] = _operation(one, shape, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "osmo", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"dev": []}],
        "tags": _tags(endpoints),
        "paths": paths,
        "components": {
            "schemas": with_codes(schemas.components, codes),
            "responses": {name: _error(name, schemas.of(kind), words) for name, kind, words in _ERRORS.values()},
            "securitySchemes": {
                "dev": {
                    "type": "apiKey",
                    "in": "header",
                    "name": USER_HEADER,
                    "description": "Dev access: the caller says who it is. It is on only where the gateway listens on this machine.",
                }
            },
        },
    }


def _operation(one: Endpoint, shape: Shape, schemas: Schemas) -> Json:
    said = (inspect.getdoc(one.handler) or "").partition("\n\n")
    described = "\n\n".join(text for text in (said[2], _query_words(one.query)) if text)
    operation: Json = {
        "operationId": _name(one, shape),
        "summary": said[0],
        "tags": [_tag(one)],
        "parameters": [*map(_part, shape.parts), *_query(one, schemas), *_headers(one)],
        "responses": {"200": _answered(one, shape, schemas), **{status: _ref_error(status) for status in _ERRORS}},
    }
    if described:
        operation["description"] = described
    if one.body is not None:
        content = {JSON: {"schema": schemas.of(one.body.kind)}}
        operation["requestBody"] = {"required": one.body.needed, "content": content}
    if one.path in OPEN:
        operation["security"] = []
    return operation


def _name(one: Endpoint, shape: Shape) -> str:
    """The handler's, with that of its file where it does not say it, and with the word of its path: `config_one_role`."""
    tag, name = _tag(one), one.handler.__name__
    return "_".join((name if tag in name else f"{tag}_{name}", *shape.words))


def _part(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query(one: Endpoint, schemas: Schemas) -> Iterator[Json]:
    if one.query is None:
        return
    for field in msgspec.structs.fields(one.query):
        schema = _without_null(schemas.of(field.type))
        if schema.get("type") == "integer":
            schema = {"minimum": -LARGEST, "maximum": LARGEST, **schema}
        parameter: Json = {"name": field.encode_name, "in": "query", "required": field.required}
        about = schema.pop("description", _MOMENT if datetime in (field.type, *get_args(field.type)) else None)
        if about is not None:
            parameter["description"] = about
        if field.default not in (msgspec.NODEFAULT, None):
            schema["default"] = msgspec.to_builtins(field.default)
        yield {**parameter, "schema": schema}


def _headers(one: Endpoint) -> Iterator[Json]:
    for name, about in one.headers.items():
        yield {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}


def _without_null(schema: Json) -> Json:
    """A parameter cannot be null, only absent. A reference is kept apart, so that a default may stand beside it."""
    options = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    return dict(options[0]) if len(options) == 1 else dict(schema)


def _query_words(query: type[Struct] | None) -> str:
    """The words of the Struct, or of the first of those it is made of that has some."""
    for kind in query.__mro__ if query is not None else ():
        if kind is not Struct and issubclass(kind, Struct) and kind.__dict__.get("__doc__"):
            return inspect.cleandoc(str(kind.__dict__["__doc__"]))
    return ""


def _answered(one: Endpoint, shape: Shape, schemas: Schemas) -> Json:
    content: Json = {}
    for hint in one.answers:
        if hint is TextAnswer:
            content[TEXT] = {"schema": {"type": "string"}}
        elif get_origin(hint) is not Answer:
            content[STREAMED] = {"schema": {"type": "string", "description": "Lines, as they come."}}
    options = [schemas.of(kind) for kind in json_kinds(one, shape)]
    if options:
        content[JSON] = {"schema": options[0] if len(options) == 1 else {"anyOf": options}}
    return {
        "description": "Done." if content == {JSON: {"schema": {"type": "null"}}} else "The answer.",
        "content": content,
    }


def _ref_error(status: str) -> Json:
    return {"$ref": f"#/components/responses/{_ERRORS[status][0]}"}


def _error(name: str, schema: Json, words: str) -> Json:
    response: Json = {"description": words, "content": {JSON: {"schema": schema}}}
    if name == "Unavailable":
        response["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return response


def _tag(one: Endpoint) -> str:
    return one.handler.__module__.rpartition(".")[2].removesuffix("_routes")


def _tags(endpoints: Iterable[Endpoint]) -> list[Json]:
    """One for each file of endpoints, with what that file says of itself."""
    modules = {_tag(one): sys.modules[one.handler.__module__] for one in endpoints}
    return [{"name": tag, "description": (module.__doc__ or "").partition("\n")[0]} for tag, module in modules.items()]
