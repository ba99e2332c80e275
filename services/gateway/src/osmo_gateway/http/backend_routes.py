"""Registered backends and their agents' tokens."""

from aiohttp import web

from osmo_api.backends import DeleteBody, RegisterBody, RotateBody
from osmo_gateway.http.answers import json_answer
from osmo_gateway.http.params import read_body
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = web.RouteTableDef()

_ONE = "/api/backend/{name}"
_TOKENS = "/api/backend/{name}/token"


@routes.get("/api/backend")
async def backends(request: web.Request) -> web.Response:
    return json_answer(gateway_of(request).backends.listed())


@routes.get(_ONE)
async def backend(request: web.Request) -> web.Response:
    return json_answer(gateway_of(request).backends.one(part(request, "name")))


@routes.post(_ONE)
async def register(request: web.Request) -> web.Response:
    body = await read_body(request, RegisterBody) or RegisterBody()
    found = gateway_of(request).backends
    return json_answer(await found.register(caller_of(request).user, part(request, "name"), body))


@routes.delete(_ONE)
async def delete(request: web.Request) -> web.Response:
    body = await read_body(request, DeleteBody) or DeleteBody()
    await gateway_of(request).backends.delete(caller_of(request).user, part(request, "name"), force=body.force)
    return json_answer(None)


@routes.post(_TOKENS)
async def rotate_token(request: web.Request) -> web.Response:
    body = await read_body(request, RotateBody) or RotateBody()
    found = gateway_of(request).backends
    return json_answer(await found.rotate(caller_of(request).user, part(request, "name"), body.grace_s))


@routes.delete(_TOKENS)
async def revoke_tokens(request: web.Request) -> web.Response:
    found = gateway_of(request).backends
    return json_answer(await found.revoke(caller_of(request).user, part(request, "name"), ""))


@routes.delete(_TOKENS + "/{token_id}")
async def revoke_token(request: web.Request) -> web.Response:
    found = gateway_of(request).backends
    return json_answer(await found.revoke(caller_of(request).user, part(request, "name"), part(request, "token_id")))
