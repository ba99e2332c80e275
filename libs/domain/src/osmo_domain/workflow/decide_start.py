"""What can start, and what has been left undecided: for a workflow that was just submitted, or just loaded."""

from datetime import datetime

from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.ends import resume
from osmo_domain.workflow.events import WorkflowEvent, WorkflowFinished
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import WorkflowStatus


def decide_start(state: Workflow, now: datetime) -> list[WorkflowEvent]:
    """Queue every group whose upstreams completed, and take up consequences that an interrupted decision left open. Changes the state.

    A workflow whose plan is lost cannot start: it ends as a server error.
    """
    draft = Draft(state, now)
    if draft.over:
        return []
    if state.plan is None:
        draft.add(WorkflowFinished(status=WorkflowStatus.FAILED_SERVER_ERROR, at=now))
    else:
        resume(draft)
    return draft.events
