"""Requests that change something: submit, restart, cancel, tag."""

from typing import Final

from aiohttp import web
from msgspec import Struct

from osmo_api.http import CancelAnswer, SubmitAnswer, SubmitBody
from osmo_domain.errors import Rejected
from osmo_domain.pool import Priority
from osmo_domain.requests import CancelRequest, RestartRequest, SubmitRequest, TagRequest
from osmo_gateway.http.answers import Answer, json_answer
from osmo_gateway.http.endpoints import Routes
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = Routes()

_IDEMPOTENCY_KEY: Final = "Idempotency-Key"


class SubmitQuery(Struct, frozen=True):
    """`workflow_id` names an earlier workflow whose spec is meant, in place of a body."""

    workflow_id: str | None = None
    app_uuid: str = ""
    app_version: int = 0
    dry_run: bool = False
    validation_only: bool = False
    priority: Priority = Priority.NORMAL
    env_vars: tuple[str, ...] = ()
    label: tuple[str, ...] = ()


class CancelQuery(Struct, frozen=True):
    message: str = ""
    force: bool = False


class TagQuery(Struct, frozen=True):
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@routes.post(
    "/api/pool/{pool}/workflow",
    headers={_IDEMPOTENCY_KEY: "A submission with the key of an earlier one gets its answer."},
)
async def submit(request: web.Request, query: SubmitQuery, body: SubmitBody | None) -> Answer[SubmitAnswer]:
    """Submit a workflow; the answer comes when it is stored."""
    source = query.workflow_id
    if (body is None) == (source is None):
        said = "A submission needs either a workflow file in its body or the id of an earlier workflow, and not both."
        raise Rejected("submit.body_or_workflow_id", said, error_code="USAGE")
    caller = caller_of(request)
    answer = await gateway_of(request).submissions.submit(
        SubmitRequest(
            pool=part(request, "pool"),
            user=caller.user,
            file=body.file if body else None,
            source_workflow_id=source or "",
            set_variables=tuple(body.set_variables) if body else (),
            set_string_variables=tuple(body.set_string_variables) if body else (),
            uploaded_templated_spec=body.uploaded_templated_spec if body else None,
            env_vars=query.env_vars,
            labels=query.label,
            priority=query.priority,
            dry_run=query.dry_run,
            validation_only=query.validation_only,
            roles=caller.roles,
            idempotency_key=request.headers.get(_IDEMPOTENCY_KEY, ""),
            app_uuid=query.app_uuid,
            app_version=query.app_version,
        )
    )
    return json_answer(answer)


@routes.post("/api/pool/{pool}/workflow/{workflow}/restart")
async def restart(request: web.Request) -> Answer[SubmitAnswer]:
    """Submit a workflow that ended again, as a new one."""
    caller, gateway = caller_of(request), gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    wanted = RestartRequest(
        pool=part(request, "pool"), user=caller.user, workflow_id=workflow.workflow_id, roles=caller.roles
    )
    return json_answer(await gateway.front_door.restart(wanted))


@routes.post("/api/workflow/{workflow}/cancel")
async def cancel(request: web.Request, query: CancelQuery) -> Answer[CancelAnswer]:
    """Ask for the end of a workflow; with `force` its tasks get no time to end."""
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    wanted = CancelRequest(
        user=caller_of(request).user, workflow_id=workflow.workflow_id, message=query.message, force=query.force
    )
    return json_answer(await gateway.front_door.cancel(wanted))


@routes.post("/api/workflow/{workflow}/tag")
async def tag(request: web.Request, query: TagQuery) -> Answer[None]:
    """Add tags to a workflow and remove others."""
    add, remove = query.add, query.remove
    gateway = gateway_of(request)
    if not add and not remove:
        raise Rejected("tag.nothing", "Say which tags to add or to remove.")
    workflow = await gateway.workflows.find(part(request, "workflow"))
    wanted = TagRequest(user=caller_of(request).user, workflow_id=workflow.workflow_id, add=add, remove=remove)
    await gateway.front_door.tag(wanted)
    return json_answer(None)
