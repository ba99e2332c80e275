"""The history of the configuration: revisions, differences, rollback, tags."""

from aiohttp import web
from msgspec import Struct

from osmo_domain.configuration.decide import Note
from osmo_domain.configuration.kinds import SINGLE, ConfigType
from osmo_domain.configuration.refusals import refused
from osmo_gateway.configs.reading import HistoryFilter
from osmo_gateway.http.answers import json_answer
from osmo_gateway.http.params import Order, Params, read_body
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = web.RouteTableDef()

_HISTORY = "/api/configs/history"
_REVISION = _HISTORY + "/{kind}/revision/{number}"
_MOST = 1000


class RollbackBody(Struct):
    config_type: str
    revision: int
    description: str | None = None
    tags: list[str] | None = None


class TagsBody(Struct):
    set_tags: list[str] | None = None
    delete_tags: list[str] | None = None


@routes.get(_HISTORY)
async def history(request: web.Request) -> web.Response:
    found = gateway_of(request).config_reads.history(_wanted(request))
    return json_answer({"configs": found})


def _wanted(request: web.Request) -> HistoryFilter:
    params = Params(request)
    wanted = HistoryFilter(
        kinds=tuple(type_named(text) for text in params.texts("config_types") if text.upper() != "DATASET"),
        name=params.text("name") or "",
        revision=params.whole_or_none("revision"),
        tags=params.texts("tags"),
        created_before=params.moment("created_before"),
        created_after=params.moment("created_after"),
        at=params.moment("at_timestamp"),
        descending=params.word("order", Order, Order.ASC) is Order.DESC,
        offset=params.whole("offset", 0),
        limit=params.whole("limit", 20),
        omit_data=params.flag("omit_data"),
    )
    params.check()
    if not 1 <= wanted.limit <= _MOST or wanted.offset < 0:
        raise refused("page", f"`limit` is from 1 to {_MOST}, and `offset` from 0.")
    if wanted.revision is not None and wanted.revision < 1:
        raise refused("unknown_revision", "Revisions count from 1.")
    return wanted


def type_named(text: str) -> ConfigType:
    if text.upper() not in ConfigType.__members__:
        raise refused("unknown_type", f'There is no config type "{text[:40]}"; there are {", ".join(ConfigType)}.')
    return ConfigType(text.upper())


@routes.post(_HISTORY + "/rollback")
async def rollback(request: web.Request) -> web.Response:
    body, gateway = await read_body(request, RollbackBody), gateway_of(request)
    if body is None:
        raise refused("unknown_revision", "Say which revision to go back to.")
    kind = type_named(body.config_type)
    note = Note(body.description or "", tuple(body.tags or ()))
    await gateway.config_writes.rollback(caller_of(request).user, kind, body.revision, note)
    return json_answer(gateway.config_reads.single(kind) if kind in SINGLE else None)


@routes.delete(_REVISION)
async def delete_revision(request: web.Request) -> web.Response:
    kind, number = _revision(request)
    await gateway_of(request).config_writes.delete_revision(caller_of(request).user, kind, number)
    return json_answer(None)


@routes.post(_REVISION + "/tags")
async def tag_revision(request: web.Request) -> web.Response:
    body = await read_body(request, TagsBody) or TagsBody()
    kind, number = _revision(request)
    add, remove = tuple(body.set_tags or ()), tuple(body.delete_tags or ())
    await gateway_of(request).config_writes.tag(caller_of(request).user, kind, number, add, remove)
    return json_answer(None)


def _revision(request: web.Request) -> tuple[ConfigType, int]:
    kind, number = type_named(part(request, "kind")), part(request, "number")
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise refused("unknown_revision", f"There is no revision {kind}:{number[:20]}.")
    return kind, int(number)


@routes.get("/api/configs/diff")
async def diff(request: web.Request) -> web.Response:
    params = Params(request)
    kind = params.require("config_type")
    first, second = params.whole("first_revision", 0), params.whole("second_revision", 0)
    params.check()
    before, after = gateway_of(request).config_reads.difference(type_named(kind), first, second)
    return json_answer({"first_data": before, "second_data": after})
