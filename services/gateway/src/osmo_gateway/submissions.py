"""What this gateway knows of a submission before the front door decides on it: its app, and how much its user has alive."""

import msgspec

from osmo_api.http import SubmitAnswer
from osmo_domain.requests import SubmitRequest
from osmo_gateway.app_reads import AppReads
from osmo_gateway.estate import Estate
from osmo_gateway.front_door import FrontDoor
from osmo_gateway.own_writes import OwnWrites
from osmo_views.ports import ALIVE, WorkflowFilter, WorkflowViews


class Submissions:
    def __init__(
        self, front_door: FrontDoor, apps: AppReads, estate: Estate, views: WorkflowViews, own_writes: OwnWrites
    ) -> None:
        self._front_door = front_door
        self._apps = apps
        self._estate = estate
        self._views = views
        self._own_writes = own_writes

    async def submit(self, request: SubmitRequest) -> SubmitAnswer:
        self._apps.check_origin(request.app_uuid, request.app_version)
        return await self._front_door.submit(await self._counted(request))

    async def _counted(self, request: SubmitRequest) -> SubmitRequest:
        """With what the user and the pool have alive, the user's last submission here among it; counted only where it is limited."""
        if request.dry_run or request.validation_only:
            return request
        return await self._counted_in_pool(await self._counted_of_user(request))

    async def _counted_in_pool(self, request: SubmitRequest) -> SubmitRequest:
        pool = self._estate.catalogue.pools.get(request.pool)
        if pool is None or pool.max_num_workflows is None:
            return request
        await self._own_writes.visible(request.user)
        wanted = WorkflowFilter(statuses=ALIVE, pools=(pool.name,), limit=pool.max_num_workflows)
        alive = await self._views.workflows(wanted)
        return msgspec.structs.replace(request, pool_alive_workflows=len(alive))

    async def _counted_of_user(self, request: SubmitRequest) -> SubmitRequest:
        limits = self._estate.catalogue.workflow.user_workflow_limits
        limited = limits.max_num_workflows is not None or limits.max_num_tasks is not None
        if not limited:
            return request
        await self._own_writes.visible(request.user)
        alive = await self._views.alive(request.user)
        return msgspec.structs.replace(request, alive_workflows=alive.workflows, alive_tasks=alive.tasks)
