"""What can start, and what has been left undecided: for a workflow that was just submitted, or just loaded."""

from datetime import datetime

from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.ends import resume
from osmo_domain.workflow.events import WorkflowEvent
from osmo_domain.workflow.state import Workflow


def decide_start(state: Workflow, now: datetime) -> list[WorkflowEvent]:
    """Queue every group whose upstreams completed, and take up consequences that an interrupted decision left open. Changes the state."""
    draft = Draft(state, now)
    if not draft.over and state.plan is not None:
        resume(draft)
    return draft.events
