"""Apps: specs kept under a name, in versions."""

from typing import Final

from aiohttp import web

from osmo_api.apps import AppVersionsAnswer
from osmo_api.http import Problem
from osmo_domain.errors import Rejected
from osmo_gateway.http.answers import json_answer, text_answer
from osmo_gateway.http.params import BadRequest, Order, Params, read_body
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = web.RouteTableDef()

_MOST: Final = 1000
_PATH: Final = "/api/app/user/{name}"


@routes.get("/api/app")
async def list_apps(request: web.Request) -> web.Response:
    params = Params(request)
    all_users, order = params.flag("all_users"), params.word("order", Order, Order.ASC)
    limit, offset = _limit(params), params.whole("offset", 0)
    params.check()
    if offset < 0:
        raise Rejected("list.offset", "offset must not be negative.", error_code="USAGE")
    answer = await gateway_of(request).app_reads.page(
        caller_of(request).user,
        params.text("name") or "",
        params.texts("users"),
        all_users=all_users,
        limit=limit,
        offset=offset,
        reverse=order is Order.ASC,
    )
    return json_answer(answer)


@routes.get(_PATH)
async def query_app(request: web.Request) -> web.Response:
    params = Params(request)
    version, order, limit = (
        params.whole_or_none("version"),
        params.word("order", Order, Order.ASC),
        _limit(params),
    )
    params.check()
    answer = gateway_of(request).app_reads.query(
        part(request, "name"), version, limit=limit, reverse=order is Order.ASC
    )
    return json_answer(answer)


@routes.get(f"{_PATH}/spec")
async def app_spec(request: web.Request) -> web.Response:
    params = Params(request)
    version = params.whole_or_none("version")
    params.check()
    return text_answer(await gateway_of(request).apps.text(part(request, "name"), version))


@routes.post(_PATH)
async def create_app(request: web.Request) -> web.Response:
    params = Params(request)
    description = params.require("description")
    params.check()
    text = await _text(request)
    await gateway_of(request).apps.create(part(request, "name"), description, text, caller_of(request).user)
    return json_answer(None)


@routes.patch(_PATH)
async def update_app(request: web.Request) -> web.Response:
    text, gateway = await _text(request), gateway_of(request)
    app = await gateway.apps.update(part(request, "name"), text, caller_of(request).user)
    return json_answer(gateway.app_reads.updated(app))


@routes.delete(_PATH)
async def delete_app(request: web.Request) -> web.Response:
    params = Params(request)
    version, every = params.whole_or_none("version"), params.flag("all_versions")
    params.check()
    user = caller_of(request).user
    deleted = await gateway_of(request).apps.delete(part(request, "name"), user, version, every=every)
    return json_answer(AppVersionsAnswer(deleted))


@routes.post(f"{_PATH}/rename")
async def rename_app(request: web.Request) -> web.Response:
    new_name = await _text(request)
    return json_answer(await gateway_of(request).apps.rename(part(request, "name"), new_name, caller_of(request).user))


async def _text(request: web.Request) -> str:
    """The body, which is one JSON string."""
    body = await read_body(request, str)
    if body is None:
        raise BadRequest([Problem("missing", ("body",), "the body must be a JSON string")])
    return body


def _limit(params: Params) -> int:
    limit = params.whole("limit", 20)
    if not 1 <= limit <= _MOST:
        raise Rejected("list.limit", f"limit must be from 1 to {_MOST}.")
    return limit
