"""Texts about a workflow that are not streamed: its spec, and where the logs of what went wrong are."""

import msgspec

from osmo_domain.errors import Rejected
from osmo_domain.workflow.status import HAS_ERROR_LOGS
from osmo_eventlog.ports import Blobs
from osmo_gateway.links import Links
from osmo_views.ports import WorkflowViews
from osmo_views.rows import WorkflowRow


async def spec_text(blobs: Blobs, workflow: WorkflowRow, *, template: bool) -> bytes:
    """The spec as it was rendered, or as it was written where that was kept."""
    digest = (template and workflow.template_blob) or workflow.spec_blob
    if not digest:
        message = f"Workflow {workflow.workflow_id} has no stored spec."
        raise Rejected("workflow.no_spec", message, workflow_id=workflow.workflow_id)
    try:
        return await blobs.get(digest)
    except KeyError as error:
        message = f"The spec of workflow {workflow.workflow_id} is no longer stored."
        raise Rejected("workflow.no_spec", message, workflow_id=workflow.workflow_id) from error


async def error_log_links(views: WorkflowViews, workflow: WorkflowRow, links: Links) -> bytes:
    """A sentence, a blank line, and a JSON map from `<task> retry-<n>` to the link, null where there is nothing to see."""
    detail = await views.detail(workflow.workflow_id, all_attempts=True)
    found = {
        f"{one.task} retry-{one.retry_id}": links.task_error_logs(workflow.workflow_id, one.task, one.retry_id)
        if one.status in HAS_ERROR_LOGS
        else None
        for one in (detail.attempts if detail else ())
    }
    hint = "Ask for the error logs of one task by its name. These tasks have some:\n\n"
    return hint.encode() + msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"
