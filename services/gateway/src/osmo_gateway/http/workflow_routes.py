"""One workflow: what it is, its logs, events, spec and tasks."""

from typing import Annotated, Final

from aiohttp import web
from msgspec import Struct

from osmo_api.http import TaskAnswer, WhyAnswer, WorkflowAnswer
from osmo_domain.logs import LineSource
from osmo_gateway.event_lines import EventQuery
from osmo_gateway.http.answers import Answer, TextAnswer, json_answer, text_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.query import within
from osmo_gateway.http.routing import TextStream, gateway_of, part
from osmo_gateway.log_stream import LogQuery
from osmo_gateway.pattern.search import compile_search
from osmo_gateway.texts import error_log_links, spec_text
from osmo_views.rows import WorkflowRow

routes = Routes()

_ERROR_SOURCES: Final = frozenset({LineSource.STDERR, LineSource.OSMO_CTRL, LineSource.DOWNLOAD, LineSource.UPLOAD})


class WorkflowQuery(Struct, frozen=True):
    """`verbose`: every attempt of a task, not only the latest."""

    skip_groups: bool = False
    verbose: bool = False


class SpecQuery(Struct, frozen=True):
    use_template: bool = False


class LogsQuery(Struct, frozen=True):
    """`query` are regular expressions, each of which a line must match."""

    task_name: str | None = None
    retry_id: int | None = None
    last_n_lines: Annotated[int, within("logs.last_n_lines", 0)] | None = None
    query: tuple[str, ...] = ()


class EventsQuery(Struct, frozen=True):
    task_name: str | None = None
    retry_id: int | None = None


@routes.get("/api/workflow/{workflow}")
async def query_workflow(request: web.Request, query: WorkflowQuery) -> Answer[WorkflowAnswer]:
    """One workflow with its groups and tasks, by its id or its uuid."""
    found, name = gateway_of(request).workflows, part(request, "workflow")
    return json_answer(await found.query(name, skip_groups=query.skip_groups, verbose=query.verbose))


@routes.get("/api/workflow/{workflow}/why")
async def why(request: web.Request) -> Answer[WhyAnswer]:
    """Why each group waits that does, and what would start it now."""
    return json_answer(await gateway_of(request).workflows.why(part(request, "workflow")))


@routes.get("/api/workflow/{workflow}/task/{task}")
async def query_task(request: web.Request) -> Answer[TaskAnswer]:
    """The latest attempt of one task."""
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    return json_answer(await gateway.tasks.query(workflow, part(request, "task")))


@routes.get("/api/workflow/{workflow}/spec")
async def spec(request: web.Request, query: SpecQuery) -> TextAnswer:
    """The spec as it was rendered, or as it was written."""
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    return text_answer(await spec_text(gateway.blobs, workflow, template=query.use_template))


@routes.get("/api/workflow/{workflow}/logs")
async def logs(request: web.Request, query: LogsQuery) -> web.StreamResponse:
    """The lines of a workflow or of one task: those that are stored, then those that come, until it is over."""
    wanted = _wanted_lines(request, query)
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    return await _tell_logs(request, workflow, wanted)


@routes.get("/api/workflow/{workflow}/error_logs")
async def error_logs(request: web.Request, query: LogsQuery) -> TextAnswer | web.StreamResponse:
    """The lines that say what went wrong with one task, as they come; without a task, where to ask for those of each."""
    wanted = _wanted_lines(request, query, sources=_ERROR_SOURCES)
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    if wanted.task is None:
        return text_answer(await error_log_links(gateway.views, workflow, gateway.links))
    return await _tell_logs(request, workflow, wanted)


@routes.get("/api/workflow/{workflow}/events")
async def events(request: web.Request, query: EventsQuery) -> web.StreamResponse:
    """What happened to a workflow or to one task, a line for each, as it happens, until it is over."""
    wanted = EventQuery(task=query.task_name, retry_id=query.retry_id)
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    if wanted.task is not None:
        await gateway.tasks.attempt(workflow, wanted.task, wanted.retry_id)
    stream = TextStream(request)
    await stream.open()
    await gateway.events.tell(workflow, wanted, stream.write)
    return await stream.close()


async def _tell_logs(request: web.Request, workflow: WorkflowRow, query: LogQuery) -> web.StreamResponse:
    gateway = gateway_of(request)
    if query.task is not None:
        await gateway.tasks.attempt(workflow, query.task, query.retry_id)
    stream = TextStream(request)
    await stream.open()
    await gateway.logs.tell(workflow, query, stream.write)
    return await stream.close()


def _wanted_lines(request: web.Request, query: LogsQuery, *, sources: frozenset[LineSource] | None = None) -> LogQuery:
    everything, last_lines = gateway_of(request).estate.catalogue.workflow.max_log_lines, query.last_n_lines
    return LogQuery(
        task=query.task_name,
        retry_id=query.retry_id,
        last_lines=None if last_lines is None or last_lines >= everything else last_lines,
        searches=tuple(compile_search(pattern) for pattern in query.query),
        sources=sources,
    )
