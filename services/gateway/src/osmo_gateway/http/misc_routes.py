"""Health, versions, users, tags, plugins, login, profile."""

from aiohttp import web

from osmo_api.http import HealthAnswer, LoginInfoAnswer, PluginsAnswer, Profile, TagsAnswer
from osmo_gateway import version
from osmo_gateway.http.answers import json_answer, text_answer
from osmo_gateway.http.params import Params, read_body
from osmo_gateway.http.routing import caller_of, gateway_of

routes = web.RouteTableDef()


@routes.get("/health")
async def health(_: web.Request) -> web.Response:
    return json_answer(HealthAnswer())


@routes.get("/api/version")
async def api_version(_: web.Request) -> web.Response:
    return json_answer(version.ANSWER)


@routes.get("/client/version")
async def client_version(request: web.Request) -> web.Response:
    if "text/plain" in request.headers.get("Accept", ""):
        return text_answer(version.VERSION.encode())
    return json_answer(version.ANSWER)


@routes.get("/api/auth/login")
async def login(_: web.Request) -> web.Response:
    return json_answer(LoginInfoAnswer())


@routes.get("/api/users")
async def users(request: web.Request) -> web.Response:
    return json_answer(await gateway_of(request).views.submitters())


@routes.get("/api/tag")
async def tags(request: web.Request) -> web.Response:
    return json_answer(TagsAnswer(list(gateway_of(request).estate.catalogue.workflow.tags)))


@routes.get("/api/plugins/configs")
async def plugins(_: web.Request) -> web.Response:
    return json_answer(PluginsAnswer())


@routes.get("/api/profile/settings")
async def profile(request: web.Request) -> web.Response:
    return json_answer(gateway_of(request).profiles.answer(caller_of(request)))


@routes.post("/api/profile/settings")
async def change_profile(request: web.Request) -> web.Response:
    params = Params(request)
    params.flag("set_default_backend")
    params.check()
    wanted = await read_body(request, Profile)
    if wanted is not None:
        await gateway_of(request).profiles.change(caller_of(request), wanted)
    return json_answer(None)
