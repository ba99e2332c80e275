"""The caller's credentials."""

from aiohttp import web

from osmo_api.credentials import CredentialBody
from osmo_gateway.http.answers import json_answer
from osmo_gateway.http.params import read_body
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = web.RouteTableDef()


@routes.get("/api/credentials")
async def credentials(request: web.Request) -> web.Response:
    return json_answer(await gateway_of(request).credentials.listed(caller_of(request).user))


@routes.post("/api/credentials/{name}")
async def set_credential(request: web.Request) -> web.Response:
    body = await read_body(request, CredentialBody) or CredentialBody()
    await gateway_of(request).credentials.set(caller_of(request).user, part(request, "name"), body)
    return json_answer(None)


@routes.delete("/api/credentials/{name}")
async def delete_credential(request: web.Request) -> web.Response:
    return json_answer(await gateway_of(request).credentials.delete(caller_of(request).user, part(request, "name")))
