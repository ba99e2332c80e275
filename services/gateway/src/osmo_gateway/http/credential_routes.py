"""The caller's credentials."""

from aiohttp import web

from osmo_api.credentials import CredentialBody, CredentialsAnswer
from osmo_gateway.http.answers import Answer, json_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = Routes()


@routes.get("/api/credentials")
async def credentials(request: web.Request) -> Answer[CredentialsAnswer]:
    """The names and kinds of the caller's credentials, never a value."""
    return json_answer(await gateway_of(request).credentials.listed(caller_of(request).user))


@routes.post("/api/credentials/{name}")
async def set_credential(request: web.Request, body: CredentialBody) -> Answer[None]:
    """Keep a credential under this name, in place of what was there."""
    await gateway_of(request).credentials.set(caller_of(request).user, part(request, "name"), body)
    return json_answer(None)


@routes.delete("/api/credentials/{name}")
async def delete_credential(request: web.Request) -> Answer[CredentialsAnswer]:
    """Forget a credential; answers with what it was."""
    return json_answer(await gateway_of(request).credentials.delete(caller_of(request).user, part(request, "name")))
