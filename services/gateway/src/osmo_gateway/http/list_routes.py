"""Lists of workflows and of tasks."""

from typing import Final

from aiohttp import web

from osmo_domain.errors import Rejected
from osmo_domain.pool import Priority
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_gateway.http.answers import json_answer
from osmo_gateway.http.params import Order, Params
from osmo_gateway.http.routing import caller_of, gateway_of
from osmo_gateway.label_selector import parse_selector
from osmo_gateway.people import resolve_users
from osmo_views.ports import TaskFilter, WorkflowFilter

routes = web.RouteTableDef()

_MOST: Final = 1000


@routes.get("/api/workflow")
async def list_workflows(request: web.Request) -> web.Response:
    params = Params(request)
    all_users, all_pools = params.flag("all_users"), params.flag("all_pools")
    limit, offset = params.whole("limit", 20), params.whole("offset", 0)
    order, statuses = params.word("order", Order, Order.ASC), params.words("statuses", WorkflowStatus)
    priorities = params.words("priority", Priority)
    before, after = params.moment("submitted_before"), params.moment("submitted_after")
    params.check()
    _check_page(limit, offset, least=0)
    if limit > _MOST:
        raise Rejected("list.limit", f"At most {_MOST} workflows are listed at once.")
    app_uuid, app_version = gateway_of(request).app_reads.filter(params.text("app"))
    wanted = WorkflowFilter(
        users=await _users(request, params, all_users=all_users),
        name_part=params.text("name") or "",
        statuses=statuses,
        pools=_pools(request, params, all_pools=all_pools),
        submitted_before=before,
        submitted_after=after,
        any_tag=params.texts("tags"),
        priorities=priorities,
        labels=tuple(map(parse_selector, params.texts("label"))),
        absent_labels=params.texts("no_label"),
        app_uuid=app_uuid,
        app_version=app_version,
        descending=order is Order.DESC,
        offset=offset,
        limit=limit,
    )
    gateway = gateway_of(request)
    await gateway.own_writes.visible(caller_of(request).user)
    return json_answer(await gateway.workflows.page(wanted))


@routes.get("/api/task")
async def list_tasks(request: web.Request) -> web.Response:
    params = Params(request)
    all_users, all_pools = params.flag("all_users"), params.flag("all_pools")
    limit, offset = params.whole("limit", 20), params.whole("offset", 0)
    order, statuses = params.word("order", Order, Order.ASC), params.words("statuses", TaskStatus)
    summary, by_workflow = params.flag("summary"), params.flag("aggregate_by_workflow")
    priorities = params.words("priority", Priority)
    before, after = params.moment("started_before"), params.moment("started_after")
    params.check()
    _check_page(limit, offset, least=1)
    wanted = TaskFilter(
        workflow_part=params.text("workflow_id") or "",
        users=await _users(request, params, all_users=all_users),
        statuses=statuses,
        pools=_pools(request, params, all_pools=all_pools),
        nodes=params.texts("nodes"),
        priorities=priorities,
        started_after=after,
        started_before=before,
        offset=offset,
        limit=min(limit, _MOST),
    )
    tasks = gateway_of(request).tasks
    if summary:
        return json_answer(await tasks.sums(wanted))
    if by_workflow:
        return json_answer(await tasks.sums_by_workflow(wanted))
    return json_answer(await tasks.page(wanted, reverse=order is Order.ASC))


def _check_page(limit: int, offset: int, *, least: int) -> None:
    if offset < 0:
        raise Rejected("list.offset", "offset must not be negative.", error_code="USAGE")
    if limit < least:
        raise Rejected("list.limit", f"limit must be at least {least}.")


async def _users(request: web.Request, params: Params, *, all_users: bool) -> tuple[str, ...]:
    """Those that are named; the caller, where nobody is named; nobody in particular, for everyone."""
    named = params.texts("users")
    if named:
        return await resolve_users(gateway_of(request).views, named)
    caller = caller_of(request)
    return (caller.user,) if caller.named and not all_users else ()


def _pools(request: web.Request, params: Params, *, all_pools: bool) -> tuple[str, ...]:
    named = params.texts("pools")
    if named or all_pools:
        return named
    pool = gateway_of(request).profiles.pool_of(caller_of(request).user)
    if pool is None:
        raise Rejected("pool.none_selected", "No pool selected! Name one, or set a default pool in your profile.")
    return (pool,)
