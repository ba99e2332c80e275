"""Apps: specs kept under a name, in versions."""

from typing import Annotated, Final

from aiohttp import web
from msgspec import Struct

from osmo_api.apps import AppAnswer, AppListAnswer, AppUpdatedAnswer, AppVersionsAnswer
from osmo_gateway.http.answers import Answer, TextAnswer, json_answer, text_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.params import Order
from osmo_gateway.http.query import within
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = Routes()

_MOST: Final = 1000
_PATH: Final = "/api/app/user/{name}"

Limit = Annotated[int, within("list.limit", 1, _MOST)]


class AppsQuery(Struct, frozen=True):
    """Without `users` and `all_users` these are the apps that the caller made or used."""

    name: str = ""
    users: tuple[str, ...] = ()
    all_users: bool = False
    order: Order = Order.ASC
    limit: Limit = 20
    offset: Annotated[int, within("list.offset", 0, error_code="USAGE")] = 0


class AppQuery(Struct, frozen=True):
    version: int | None = None
    order: Order = Order.ASC
    limit: Limit = 20


class AppSpecQuery(Struct, frozen=True):
    version: int | None = None


class CreateAppQuery(Struct, frozen=True):
    description: str


class DeleteAppQuery(Struct, frozen=True):
    version: int | None = None
    all_versions: bool = False


@routes.get("/api/app")
async def list_apps(request: web.Request, query: AppsQuery) -> Answer[AppListAnswer]:
    """A page of apps, from the newest on."""
    answer = await gateway_of(request).app_reads.page(
        caller_of(request).user,
        query.name,
        query.users,
        all_users=query.all_users,
        limit=query.limit,
        offset=query.offset,
        reverse=query.order is Order.ASC,
    )
    return json_answer(answer)


@routes.get(_PATH)
async def query_app(request: web.Request, query: AppQuery) -> Answer[AppAnswer]:
    """One app with its newest versions, or with the one that is asked for."""
    answer = gateway_of(request).app_reads.query(
        part(request, "name"), query.version, limit=query.limit, reverse=query.order is Order.ASC
    )
    return json_answer(answer)


@routes.get(f"{_PATH}/spec")
async def app_spec(request: web.Request, query: AppSpecQuery) -> TextAnswer:
    """The spec of a version, as it was written; of the latest where none is named."""
    return text_answer(await gateway_of(request).apps.text(part(request, "name"), query.version))


@routes.post(_PATH)
async def create_app(request: web.Request, query: CreateAppQuery, body: str) -> Answer[None]:
    """Keep a spec, which is the body, as the first version of a new app."""
    user = caller_of(request).user
    await gateway_of(request).apps.create(part(request, "name"), query.description, body, user)
    return json_answer(None)


@routes.patch(_PATH)
async def update_app(request: web.Request, body: str) -> Answer[AppUpdatedAnswer]:
    """Keep a spec, which is the body, as the next version of an app."""
    gateway = gateway_of(request)
    app = await gateway.apps.update(part(request, "name"), body, caller_of(request).user)
    return json_answer(gateway.app_reads.updated(app))


@routes.delete(_PATH)
async def delete_app(request: web.Request, query: DeleteAppQuery) -> Answer[AppVersionsAnswer]:
    """Delete one version of an app, or all of them."""
    user = caller_of(request).user
    apps = gateway_of(request).apps
    deleted = await apps.delete(part(request, "name"), user, query.version, every=query.all_versions)
    return json_answer(AppVersionsAnswer(deleted))


@routes.post(f"{_PATH}/rename")
async def rename_app(request: web.Request, body: str) -> Answer[str]:
    """Give an app another name, which is the body."""
    return json_answer(await gateway_of(request).apps.rename(part(request, "name"), body, caller_of(request).user))
