"""Registered backends and their agents' tokens."""

from aiohttp import web

from osmo_api.backends import (
    BackendEntry,
    BackendsAnswer,
    DeleteBody,
    RegisterBody,
    RegisteredAnswer,
    RevokedAnswer,
    RotateBody,
    TokenAnswer,
)
from osmo_gateway.http.answers import Answer, json_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = Routes()

_ONE = "/api/backend/{name}"
_TOKENS = "/api/backend/{name}/token"


@routes.get("/api/backend")
async def backends(request: web.Request) -> Answer[BackendsAnswer]:
    """Every registered backend, with its pools, tokens and what its agent says of it."""
    return json_answer(gateway_of(request).backends.listed())


@routes.get(_ONE)
async def backend(request: web.Request) -> Answer[BackendEntry]:
    """One registered backend."""
    return json_answer(gateway_of(request).backends.one(part(request, "name")))


@routes.post(_ONE)
async def register(request: web.Request, body: RegisterBody) -> Answer[RegisteredAnswer]:
    """Register a backend: its first token, and the manifest that starts its agent."""
    found = gateway_of(request).backends
    return json_answer(await found.register(caller_of(request).user, part(request, "name"), body))


@routes.delete(_ONE)
async def delete(request: web.Request, body: DeleteBody) -> Answer[None]:
    """Forget a backend that nothing stands on any more, and revoke its tokens."""
    await gateway_of(request).backends.delete(caller_of(request).user, part(request, "name"), force=body.force)
    return json_answer(None)


@routes.post(_TOKENS)
async def rotate_token(request: web.Request, body: RotateBody) -> Answer[TokenAnswer]:
    """Issue a new token; the one before it stays good for the grace that is asked for."""
    found = gateway_of(request).backends
    return json_answer(await found.rotate(caller_of(request).user, part(request, "name"), body.grace_s))


@routes.delete(_TOKENS)
async def revoke_tokens(request: web.Request) -> Answer[RevokedAnswer]:
    """Revoke every token of a backend and end the connections that came in with them."""
    found = gateway_of(request).backends
    return json_answer(await found.revoke(caller_of(request).user, part(request, "name"), ""))


@routes.delete(_TOKENS + "/{token_id}")
async def revoke_token(request: web.Request) -> Answer[RevokedAnswer]:
    """Revoke one token and end the connections that came in with it."""
    found = gateway_of(request).backends
    return json_answer(await found.revoke(caller_of(request).user, part(request, "name"), part(request, "token_id")))
