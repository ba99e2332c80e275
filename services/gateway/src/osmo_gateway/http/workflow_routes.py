"""One workflow: what it is, its logs, events, spec and tasks."""

from typing import Final

from aiohttp import web

from osmo_domain.errors import Rejected
from osmo_domain.logs import LineSource
from osmo_gateway.event_lines import EventQuery
from osmo_gateway.http.answers import json_answer, text_answer
from osmo_gateway.http.params import Params
from osmo_gateway.http.routing import TextStream, gateway_of, part
from osmo_gateway.log_stream import LogQuery
from osmo_gateway.pattern.search import compile_search
from osmo_gateway.texts import error_log_links, spec_text
from osmo_views.rows import WorkflowRow

routes = web.RouteTableDef()

_ERROR_SOURCES: Final = frozenset({LineSource.STDERR, LineSource.OSMO_CTRL, LineSource.DOWNLOAD, LineSource.UPLOAD})


@routes.get("/api/workflow/{workflow}")
async def query_workflow(request: web.Request) -> web.Response:
    params = Params(request)
    skip_groups, verbose = params.flag("skip_groups"), params.flag("verbose")
    params.check()
    found = gateway_of(request).workflows
    return json_answer(await found.query(part(request, "workflow"), skip_groups=skip_groups, verbose=verbose))


@routes.get("/api/workflow/{workflow}/why")
async def why(request: web.Request) -> web.Response:
    return json_answer(await gateway_of(request).workflows.why(part(request, "workflow")))


@routes.get("/api/workflow/{workflow}/task/{task}")
async def query_task(request: web.Request) -> web.Response:
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    return json_answer(await gateway.tasks.query(workflow, part(request, "task")))


@routes.get("/api/workflow/{workflow}/spec")
async def spec(request: web.Request) -> web.Response:
    params = Params(request)
    template = params.flag("use_template")
    params.check()
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    return text_answer(await spec_text(gateway.blobs, workflow, template=template))


@routes.get("/api/workflow/{workflow}/logs")
async def logs(request: web.Request) -> web.StreamResponse:
    query = _log_query(request)
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    return await _tell_logs(request, workflow, query)


@routes.get("/api/workflow/{workflow}/error_logs")
async def error_logs(request: web.Request) -> web.StreamResponse:
    query = _log_query(request, sources=_ERROR_SOURCES)
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    if query.task is None:
        return text_answer(await error_log_links(gateway.views, workflow, gateway.links))
    return await _tell_logs(request, workflow, query)


@routes.get("/api/workflow/{workflow}/events")
async def events(request: web.Request) -> web.StreamResponse:
    params = Params(request)
    query = EventQuery(task=params.text("task_name"), retry_id=params.whole_or_none("retry_id"))
    params.check()
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    if query.task is not None:
        await gateway.tasks.attempt(workflow, query.task, query.retry_id)
    stream = TextStream(request)
    await stream.open()
    await gateway.events.tell(workflow, query, stream.write)
    return await stream.close()


async def _tell_logs(request: web.Request, workflow: WorkflowRow, query: LogQuery) -> web.StreamResponse:
    gateway = gateway_of(request)
    if query.task is not None:
        await gateway.tasks.attempt(workflow, query.task, query.retry_id)
    stream = TextStream(request)
    await stream.open()
    await gateway.logs.tell(workflow, query, stream.write)
    return await stream.close()


def _log_query(request: web.Request, *, sources: frozenset[LineSource] | None = None) -> LogQuery:
    params = Params(request)
    last_lines, retry_id = params.whole_or_none("last_n_lines"), params.whole_or_none("retry_id")
    params.check()
    if last_lines is not None and last_lines < 0:
        raise Rejected("logs.last_n_lines", "last_n_lines must not be negative.")
    everything = gateway_of(request).estate.catalogue.workflow.max_log_lines
    return LogQuery(
        task=params.text("task_name"),
        retry_id=retry_id,
        last_lines=None if last_lines is None or last_lines >= everything else last_lines,
        searches=tuple(compile_search(pattern) for pattern in params.texts("query")),
        sources=sources,
    )
