"""Pools, quotas, nodes."""

from aiohttp import web

from osmo_gateway.http.answers import json_answer
from osmo_gateway.http.params import Params
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = web.RouteTableDef()


@routes.get("/api/pool")
async def pools(request: web.Request) -> web.Response:
    return json_answer(gateway_of(request).pools.listed(_wanted_pools(request)))


@routes.get("/api/pool_quota")
async def pool_quota(request: web.Request) -> web.Response:
    return json_answer(await gateway_of(request).pools.quota(_wanted_pools(request)))


def _wanted_pools(request: web.Request) -> tuple[str, ...]:
    """Names win over `all_pools`; without names it is every pool."""
    params = Params(request)
    params.flag("all_pools", default=True)
    params.check()
    return params.texts("pools")


@routes.get("/api/resources")
async def resources(request: web.Request) -> web.Response:
    params = Params(request)
    all_pools, concise = params.flag("all_pools"), params.flag("concise")
    params.check()
    pools = () if all_pools else params.texts("pools") or caller_of(request).allowed_pools
    platforms = params.texts("platforms")
    found = gateway_of(request).resources
    if concise:
        return json_answer(await found.by_pool(pools, platforms))
    return json_answer(await found.listed(pools, platforms))


@routes.get("/api/resources/{node}")
async def resource(request: web.Request) -> web.Response:
    return json_answer(await gateway_of(request).resources.named(part(request, "node")))
