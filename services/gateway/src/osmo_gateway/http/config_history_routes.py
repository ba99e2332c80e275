"""The history of the configuration: revisions, differences, rollback, tags."""

from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from msgspec import Struct

from osmo_domain.configuration.decide import Note
from osmo_domain.configuration.kinds import SINGLE, ConfigType
from osmo_domain.configuration.refusals import refused
from osmo_gateway.configs.reading import HistoryFilter, RevisionEntry
from osmo_gateway.http.answers import Answer, json_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.params import Order
from osmo_gateway.http.query import within
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = Routes()

_HISTORY = "/api/configs/history"
_REVISION = _HISTORY + "/{kind}/revision/{number}"
_MOST = 1000


class HistoryQuery(Struct, frozen=True):
    """`at_timestamp` picks the newest revision of each type until then. Without any filter it is the whole history."""

    config_types: tuple[str, ...] = ()
    name: str = ""
    revision: Annotated[int, within("config.unknown_revision", 1)] | None = None
    tags: tuple[str, ...] = ()
    created_before: datetime | None = None
    created_after: datetime | None = None
    at_timestamp: datetime | None = None
    order: Order = Order.ASC
    offset: Annotated[int, within("config.page", 0)] = 0
    limit: Annotated[int, within("config.page", 1, _MOST)] = 20
    omit_data: bool = False


class RevisionsAnswer(Struct, frozen=True):
    configs: list[RevisionEntry]


class DifferenceQuery(Struct, frozen=True):
    config_type: str
    first_revision: int = 0
    second_revision: int = 0


class DifferenceAnswer(Struct, frozen=True):
    first_data: Any
    second_data: Any


class RollbackBody(Struct):
    config_type: str
    revision: int
    description: str | None = None
    tags: list[str] | None = None


class TagsBody(Struct):
    set_tags: list[str] | None = None
    delete_tags: list[str] | None = None


@routes.get(_HISTORY)
async def history(request: web.Request, query: HistoryQuery) -> Answer[RevisionsAnswer]:
    """A page of the configuration's revisions, from the oldest or from the newest on."""
    return json_answer(RevisionsAnswer(gateway_of(request).config_reads.history(_wanted(query))))


def _wanted(query: HistoryQuery) -> HistoryFilter:
    return HistoryFilter(
        kinds=tuple(type_named(text) for text in query.config_types if text.upper() != "DATASET"),
        name=query.name,
        revision=query.revision,
        tags=query.tags,
        created_before=query.created_before,
        created_after=query.created_after,
        at=query.at_timestamp,
        descending=query.order is Order.DESC,
        offset=query.offset,
        limit=query.limit,
        omit_data=query.omit_data,
    )


def type_named(text: str) -> ConfigType:
    if text.upper() not in ConfigType.__members__:
        raise refused("unknown_type", f'There is no config type "{text[:40]}"; there are {", ".join(ConfigType)}.')
    return ConfigType(text.upper())


@routes.post(_HISTORY + "/rollback")
async def rollback(request: web.Request, body: RollbackBody | None) -> Answer[Any]:
    """Make a revision's objects those in force, as a new revision; answers with the object where its type has only one."""
    gateway = gateway_of(request)
    if body is None:
        raise refused("unknown_revision", "Say which revision to go back to.")
    kind = type_named(body.config_type)
    note = Note(body.description or "", tuple(body.tags or ()))
    await gateway.config_writes.rollback(caller_of(request).user, kind, body.revision, note)
    return json_answer(gateway.config_reads.single(kind) if kind in SINGLE else None)


@routes.delete(_REVISION)
async def delete_revision(request: web.Request) -> Answer[None]:
    """Hide a revision that is not the current one."""
    kind, number = _revision(request)
    await gateway_of(request).config_writes.delete_revision(caller_of(request).user, kind, number)
    return json_answer(None)


@routes.post(_REVISION + "/tags")
async def tag_revision(request: web.Request, body: TagsBody) -> Answer[None]:
    """Set and delete tags of a revision."""
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
async def diff(request: web.Request, query: DifferenceQuery) -> Answer[DifferenceAnswer]:
    """The data of two revisions of one type; secrets are stars, marked where they differ."""
    kind, reads = type_named(query.config_type), gateway_of(request).config_reads
    return json_answer(DifferenceAnswer(*reads.difference(kind, query.first_revision, query.second_revision)))
