"""What this gateway knows of a submission before the front door decides on it: its app, and how much its user has alive."""

import msgspec

from osmo_api.http import SubmitAnswer
from osmo_domain.requests import SubmitRequest
from osmo_gateway.app_reads import AppReads
from osmo_gateway.estate import Estate
from osmo_gateway.front_door import FrontDoor
from osmo_gateway.own_writes import OwnWrites
from osmo_views.ports import WorkflowViews


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
        """With what the user has alive, their last submission here among it; counted only where it is limited."""
        limits = self._estate.catalogue.workflow.user_workflow_limits
        limited = limits.max_num_workflows is not None or limits.max_num_tasks is not None
        if not limited or request.dry_run or request.validation_only:
            return request
        await self._own_writes.visible(request.user)
        alive = await self._views.alive(request.user)
        return msgspec.structs.replace(request, alive_workflows=alive.workflows, alive_tasks=alive.tasks)
