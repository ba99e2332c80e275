"""Health, versions, users, tags, plugins, login, profile."""

from aiohttp import web
from msgspec import Struct

from osmo_api.http import (
    HealthAnswer,
    LoginInfoAnswer,
    PluginsAnswer,
    Profile,
    ProfileAnswer,
    TagsAnswer,
    VersionAnswer,
)
from osmo_gateway import version
from osmo_gateway.http.answers import Answer, TextAnswer, json_answer, text_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.routing import caller_of, gateway_of

routes = Routes()


class ProfileQuery(Struct, frozen=True):
    """Clients say it when they change the default pool; nothing depends on it."""

    set_default_backend: bool = False


@routes.get("/health")
async def health(_: web.Request) -> Answer[HealthAnswer]:
    """Whether this process answers at all."""
    return json_answer(HealthAnswer())


@routes.get("/api/version")
async def api_version(_: web.Request) -> Answer[VersionAnswer]:
    """The version of the service."""
    return json_answer(version.ANSWER)


@routes.get("/client/version")
async def client_version(request: web.Request) -> TextAnswer | Answer[VersionAnswer]:
    """The version of the client that fits the service: text where `Accept` asks for it."""
    if "text/plain" in request.headers.get("Accept", ""):
        return text_answer(version.VERSION.encode())
    return json_answer(version.ANSWER)


@routes.get("/api/auth/login")
async def login(_: web.Request) -> Answer[LoginInfoAnswer]:
    """Where a client logs in; every value is null where nothing but dev login is configured."""
    return json_answer(LoginInfoAnswer())


@routes.get("/api/users")
async def users(request: web.Request) -> Answer[list[str]]:
    """Everybody who ever submitted a workflow."""
    return json_answer(list(await gateway_of(request).views.submitters()))


@routes.get("/api/tag")
async def tags(request: web.Request) -> Answer[TagsAnswer]:
    """The tags that a workflow may be given."""
    return json_answer(TagsAnswer(list(gateway_of(request).estate.catalogue.workflow.tags)))


@routes.get("/api/plugins/configs")
async def plugins(_: web.Request) -> Answer[PluginsAnswer]:
    """What this installation offers beside the API."""
    return json_answer(PluginsAnswer())


@routes.get("/api/profile/settings")
async def profile(request: web.Request) -> Answer[ProfileAnswer]:
    """The caller's own settings, roles and pools."""
    return json_answer(gateway_of(request).profiles.answer(caller_of(request)))


@routes.post("/api/profile/settings")
async def change_profile(
    request: web.Request,
    query: ProfileQuery,  # noqa: ARG001  (declares what clients send)
    body: Profile | None,
) -> Answer[None]:
    """Change those of the caller's settings that the body has."""
    if body is not None:
        await gateway_of(request).profiles.change(caller_of(request), body)
    return json_answer(None)
