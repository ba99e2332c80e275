"""Requests that change something: submit, restart, cancel, tag."""

from aiohttp import web

from osmo_api.http import SubmitBody
from osmo_domain.errors import Rejected
from osmo_domain.pool import Priority
from osmo_domain.requests import CancelRequest, RestartRequest, SubmitRequest, TagRequest
from osmo_gateway.http.answers import json_answer
from osmo_gateway.http.params import Params, read_body
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = web.RouteTableDef()


@routes.post("/api/pool/{pool}/workflow")
async def submit(request: web.Request) -> web.Response:
    params = Params(request)
    source = params.text("workflow_id")
    app_version, dry_run = params.whole("app_version", 0), params.flag("dry_run")
    validation_only, priority = params.flag("validation_only"), params.word("priority", Priority, Priority.NORMAL)
    params.check()
    body = await read_body(request, SubmitBody)
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
            env_vars=params.texts("env_vars"),
            labels=params.texts("label"),
            priority=priority,
            dry_run=dry_run,
            validation_only=validation_only,
            roles=caller.roles,
            idempotency_key=request.headers.get("Idempotency-Key", ""),
            app_uuid=params.text("app_uuid") or "",
            app_version=app_version,
        )
    )
    return json_answer(answer)


@routes.post("/api/pool/{pool}/workflow/{workflow}/restart")
async def restart(request: web.Request) -> web.Response:
    caller, gateway = caller_of(request), gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    wanted = RestartRequest(
        pool=part(request, "pool"), user=caller.user, workflow_id=workflow.workflow_id, roles=caller.roles
    )
    return json_answer(await gateway.front_door.restart(wanted))


@routes.post("/api/workflow/{workflow}/cancel")
async def cancel(request: web.Request) -> web.Response:
    params = Params(request)
    message, force = params.text("message") or "", params.flag("force")
    params.check()
    gateway = gateway_of(request)
    workflow = await gateway.workflows.find(part(request, "workflow"))
    wanted = CancelRequest(user=caller_of(request).user, workflow_id=workflow.workflow_id, message=message, force=force)
    return json_answer(await gateway.front_door.cancel(wanted))


@routes.post("/api/workflow/{workflow}/tag")
async def tag(request: web.Request) -> web.Response:
    params = Params(request)
    add, remove = params.texts("add"), params.texts("remove")
    gateway = gateway_of(request)
    if not add and not remove:
        raise Rejected("tag.nothing", "Say which tags to add or to remove.")
    workflow = await gateway.workflows.find(part(request, "workflow"))
    wanted = TagRequest(user=caller_of(request).user, workflow_id=workflow.workflow_id, add=add, remove=remove)
    await gateway.front_door.tag(wanted)
    return json_answer(None)
