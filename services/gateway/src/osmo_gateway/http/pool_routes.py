"""Pools, quotas, nodes."""

from aiohttp import web
from msgspec import Struct

from osmo_api.http import ConciseResourcesAnswer, PoolQuotaAnswer, PoolsAnswer, ResourcesAnswer
from osmo_gateway.http.answers import Answer, json_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = Routes()


class PoolsQuery(Struct, frozen=True):
    """Names win over `all_pools`; without names it is every pool."""

    all_pools: bool = True
    pools: tuple[str, ...] = ()


class ResourcesQuery(Struct, frozen=True):
    """Without names these are the nodes of the pools that the caller may use."""

    all_pools: bool = False
    concise: bool = False
    pools: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


@routes.get("/api/pool")
async def pools(request: web.Request, query: PoolsQuery) -> Answer[PoolsAnswer]:
    """Pools with their platforms, limits and status."""
    return json_answer(gateway_of(request).pools.listed(query.pools))


@routes.get("/api/pool_quota")
async def pool_quota(request: web.Request, query: PoolsQuery) -> Answer[PoolQuotaAnswer]:
    """Pools with what they may use and do use, those that share nodes together."""
    return json_answer(await gateway_of(request).pools.quota(query.pools))


@routes.get("/api/resources")
async def resources(
    request: web.Request, query: ResourcesQuery
) -> Answer[ConciseResourcesAnswer] | Answer[ResourcesAnswer]:
    """Nodes with what they have and what of it is used; with `concise`, sums by pool and platform."""
    pools = () if query.all_pools else query.pools or caller_of(request).allowed_pools
    found = gateway_of(request).resources
    if query.concise:
        return json_answer(await found.by_pool(pools, query.platforms))
    return json_answer(await found.listed(pools, query.platforms))


@routes.get("/api/resources/{node}")
async def resource(request: web.Request) -> Answer[ResourcesAnswer]:
    """One node."""
    return json_answer(await gateway_of(request).resources.named(part(request, "node")))
