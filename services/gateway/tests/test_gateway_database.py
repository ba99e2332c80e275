"""A gateway whose database goes away and comes back."""

import asyncio
from types import ModuleType

from services.gateway.tests.gateway_house import House, ended, open_house, started, submitted

from osmo_views.postgres import open_workflow_views


async def answered(house: House, path: str) -> int:
    async with house.session.get(path) as answer:
        await answer.read()
        return answer.status


async def test_reads_are_unavailable_while_postgresql_restarts_and_the_projection_goes_on_behind(
    servers: ModuleType,
) -> None:
    paths = ("/api/workflow/w-1", "/api/workflow?all_pools=true", "/api/task?all_pools=true", "/api/workflow/w-1/logs")
    with servers.running_postgres() as postgres:
        url = postgres.create_database("gateway")
        async with open_workflow_views(url) as views, open_house(views) as house:
            await house.append("w-1", submitted(), *started())
            assert [await answered(house, path) for path in paths[:3]] == [200, 200, 200]
            await asyncio.to_thread(postgres.stop)
            last = await house.append("w-1", *ended(), settle=False)
            assert [await answered(house, path) for path in paths] == [503, 503, 503, 503]
            assert await answered(house, "/api/pool") == 200
            await asyncio.to_thread(postgres.start)
            assert await house.gateway.projection.reached(last, within_s=20)
            async with house.session.get("/api/workflow/w-1") as answer:
                assert (await answer.json())["status"] == "COMPLETED"
            assert [await answered(house, path) for path in paths[:3]] == [200, 200, 200]
