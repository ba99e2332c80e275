"""Lists of workflows and of tasks."""

from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from msgspec import Struct

from osmo_api.http import TaskListAnswer, TaskSummariesAnswer, WorkflowListAnswer, WorkflowTaskSummariesAnswer
from osmo_domain.errors import Rejected
from osmo_domain.pool import Priority
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_gateway.http.answers import Answer, json_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.params import Order
from osmo_gateway.http.query import within
from osmo_gateway.http.routing import caller_of, gateway_of
from osmo_gateway.label_selector import parse_selector
from osmo_gateway.people import resolve_users
from osmo_views.ports import TaskFilter, WorkflowFilter

routes = Routes()

_MOST: Final = 1000

Offset = Annotated[int, within("list.offset", 0, error_code="USAGE")]


class PageQuery(Struct, frozen=True):
    """Without `users` it is the caller's own, without `pools` the caller's default pool. The other filters do nothing where they are left out."""

    users: tuple[str, ...] = ()
    all_users: bool = False
    pools: tuple[str, ...] = ()
    all_pools: bool = False
    priority: tuple[Priority, ...] = ()
    order: Order = Order.ASC
    offset: Offset = 0


class WorkflowsQuery(PageQuery, frozen=True):
    limit: Annotated[int, within("list.limit", 0, _MOST)] = 20
    name: str = ""
    statuses: tuple[WorkflowStatus, ...] = ()
    submitted_before: datetime | None = None
    submitted_after: datetime | None = None
    tags: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    no_label: tuple[str, ...] = ()
    app: str = ""


class TasksQuery(PageQuery, frozen=True):
    limit: Annotated[int, within("list.limit", 1, about=f"{_MOST} at most are answered, whatever is asked for.")] = 20
    workflow_id: str = ""
    statuses: tuple[TaskStatus, ...] = ()
    nodes: tuple[str, ...] = ()
    started_before: datetime | None = None
    started_after: datetime | None = None
    summary: bool = False
    aggregate_by_workflow: bool = False


@routes.get("/api/workflow")
async def list_workflows(request: web.Request, query: WorkflowsQuery) -> Answer[WorkflowListAnswer]:
    """A page of workflows by the time of their submission, with the caller's own writes in it."""
    app_uuid, app_version = gateway_of(request).app_reads.filter(query.app)
    wanted = WorkflowFilter(
        users=await _users(request, query),
        name_part=query.name,
        statuses=query.statuses,
        pools=_pools(request, query),
        submitted_before=query.submitted_before,
        submitted_after=query.submitted_after,
        any_tag=query.tags,
        priorities=query.priority,
        labels=tuple(map(parse_selector, query.label)),
        absent_labels=query.no_label,
        app_uuid=app_uuid,
        app_version=app_version,
        descending=query.order is Order.DESC,
        offset=query.offset,
        limit=query.limit,
    )
    gateway = gateway_of(request)
    await gateway.own_writes.visible(caller_of(request).user)
    return json_answer(await gateway.workflows.page(wanted))


@routes.get("/api/task")
async def list_tasks(
    request: web.Request, query: TasksQuery
) -> Answer[TaskSummariesAnswer] | Answer[WorkflowTaskSummariesAnswer] | Answer[TaskListAnswer]:
    """A page of tasks; with `summary`, sums by user, pool and priority; with `aggregate_by_workflow`, by workflow too."""
    wanted = TaskFilter(
        workflow_part=query.workflow_id,
        users=await _users(request, query),
        statuses=query.statuses,
        pools=_pools(request, query),
        nodes=query.nodes,
        priorities=query.priority,
        started_after=query.started_after,
        started_before=query.started_before,
        offset=query.offset,
        limit=min(query.limit, _MOST),
    )
    tasks = gateway_of(request).tasks
    if query.summary:
        return json_answer(await tasks.sums(wanted))
    if query.aggregate_by_workflow:
        return json_answer(await tasks.sums_by_workflow(wanted))
    return json_answer(await tasks.page(wanted, reverse=query.order is Order.ASC))


async def _users(request: web.Request, query: PageQuery) -> tuple[str, ...]:
    """Those that are named; the caller, where nobody is named; nobody in particular, for everyone."""
    if query.users:
        return await resolve_users(gateway_of(request).views, query.users)
    caller = caller_of(request)
    return (caller.user,) if caller.named and not query.all_users else ()


def _pools(request: web.Request, query: PageQuery) -> tuple[str, ...]:
    if query.pools or query.all_pools:
        return query.pools
    pool = gateway_of(request).profiles.pool_of(caller_of(request).user)
    if pool is None:
        raise Rejected("pool.none_selected", "No pool selected! Name one, or set a default pool in your profile.")
    return (pool,)
