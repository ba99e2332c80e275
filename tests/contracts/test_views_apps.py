"""What views know of apps and of users' limits: over PostgreSQL and over the memory twin."""

from datetime import timedelta

import msgspec
from tests.contracts.test_views_contract import T0, History, a_plan, end_of, run_of, submitted, views

from osmo_domain.workflow.events import TaskRescheduled, WorkflowFinished
from osmo_domain.workflow.status import WorkflowStatus
from osmo_views.ports import WorkflowFilter, WorkflowViews
from osmo_views.rows import AliveCount

__all__ = ["views"]


async def test_workflows_of_an_app_are_found_and_users_know_their_apps(views: WorkflowViews) -> None:
    history = History()
    for number, (user, app, version) in enumerate(
        [("ann", "b" * 32, 1), ("ann", "", 0), ("bob", "b" * 32, 2), ("ann", "a" * 32, 1), ("ann", "b" * 32, 2)], 1
    ):
        event = submitted("w", number, user=user, minutes=number)
        history.add(event.workflow_id, msgspec.structs.replace(event, app_uuid=app, app_version=version))
    await history.project(views)

    async def found(app: str, version: int = 0) -> list[str]:
        rows = await views.workflows(WorkflowFilter(app_uuid=app, app_version=version))
        assert all(row.app_uuid == app for row in rows)
        return [row.workflow_id for row in rows]

    assert await found("b" * 32) == ["w-1", "w-3", "w-5"]
    assert await found("b" * 32, 2) == ["w-3", "w-5"]
    assert await found("c" * 32) == []
    assert await views.apps_used_by("ann") == ["a" * 32, "b" * 32]
    assert await views.apps_used_by("bob") == ["b" * 32]
    assert await views.apps_used_by("eve") == []


async def test_what_a_user_has_alive_is_counted(views: WorkflowViews) -> None:
    history = History()
    history.add("w-1", submitted("w", 1, plan=a_plan("w", tasks=3)))
    history.add("w-2", submitted("w", 2, plan=a_plan("w", tasks=1)))
    history.add("w-3", submitted("w", 3, user="bob"))
    history.add("w-1", *run_of("t0"), *end_of("t0"))
    history.add("w-2", *run_of("t0"))
    at = T0 + timedelta(minutes=2)
    history.add("w-2", TaskRescheduled(task="t0", retry_id=0, at=at, exit_code=1))
    await history.project(views)
    assert await views.alive("ann") == AliveCount(workflows=2, tasks=3)
    assert await views.alive("bob") == AliveCount(workflows=1, tasks=1)
    ended = WorkflowFinished(status=WorkflowStatus.COMPLETED, at=T0 + timedelta(minutes=9))
    history.add("w-3", *run_of("t0"), *end_of("t0"), ended)
    await history.project(views)
    assert await views.alive("bob") == await views.alive("eve") == AliveCount()
