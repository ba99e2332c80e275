"""Cancelling: every group that has not ended ends as FAILED_CANCELED, in one decision, whatever it was doing."""

from datetime import datetime

from osmo_domain.workflow.draft import Draft
from osmo_domain.workflow.ends import end_groups_at_once
from osmo_domain.workflow.events import WorkflowEvent
from osmo_domain.workflow.exit_actions import Ending
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import GROUP_FINISHED, TaskStatus


def decide_cancel(state: Workflow, now: datetime) -> list[WorkflowEvent]:
    """Carry out the request to cancel that the state holds, if it holds one. Changes the state."""
    draft = Draft(state, now)
    if not state.cancel_requested_by or draft.over:
        return []
    message = f"Canceled by {state.cancel_requested_by}. {state.cancel_message}".strip()
    unfinished = [group for group in state.groups.values() if group.status not in GROUP_FINISHED]
    end_groups_at_once(draft, unfinished, Ending(TaskStatus.FAILED_CANCELED, None, "canceled", message))
    return draft.events
