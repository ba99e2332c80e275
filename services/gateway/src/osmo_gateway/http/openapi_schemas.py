"""The schemas of what is asked and answered, and the stable codes of refusals."""

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Any, Final, get_args, get_origin

import msgspec

from osmo_api.http import ErrorAnswer
from osmo_domain.errors import ErrorCode
from osmo_gateway.http.answers import Answer
from osmo_gateway.http.endpoints import SCHEMAS, Endpoint
from osmo_gateway.http.openapi_shapes import Shape, shapes_of

Json = dict[str, Any]

CODES_FILE: Final = "error_codes.json"
"""Beside this module; `make gen` collects it from the code that refuses."""


class Schemas:
    """The schemas of every type that is asked or answered, those of Structs and enumerations by reference."""

    def __init__(self, endpoints: Iterable[Endpoint], more: Iterable[Any]) -> None:
        kinds = [*(kind for one in endpoints for kind in _kinds(one)), *more]
        found, self.components = msgspec.json.schema_components(kinds, ref_template=SCHEMAS)
        self._by_kind = dict(zip(map(repr, kinds), found, strict=True))

    def of(self, kind: Any) -> Json:
        return self._by_kind[repr(kind)]


def json_kinds(one: Endpoint, shape: Shape) -> list[Any]:
    """What the JSON of an answer may be."""
    if one.shown:
        return [one.shown["".join(shape.words)]]
    return [get_args(hint)[0] for hint in one.answers if get_origin(hint) is Answer]


def _kinds(one: Endpoint) -> Iterator[Any]:
    if one.query is not None:
        yield from (field.type for field in msgspec.structs.fields(one.query))
    if one.body is not None:
        yield one.body.kind
    for shape in shapes_of(one.path):
        yield from json_kinds(one, shape)


def with_codes(components: Json, codes: Sequence[str]) -> Json:
    """What a client may branch on in a refusal, which its type alone does not say."""
    refusal = components[ErrorAnswer.__name__]
    properties = refusal["properties"]
    said = {"error_code": {"enum": list(get_args(ErrorCode))}, "code": {"x-codes": list(codes)}}
    return {
        **components,
        ErrorAnswer.__name__: {
            **refusal,
            "properties": {name: {**value, **said.get(name, {})} for name, value in properties.items()},
        },
    }


def error_codes() -> list[str]:
    """Every stable code of a refusal."""
    found: list[str] = json.loads(files(__package__).joinpath(CODES_FILE).read_text(encoding="utf-8"))
    return found
