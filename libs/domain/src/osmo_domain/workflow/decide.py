"""Every decision on a workflow, in one place to import from.

A decision takes a state and what is news, and returns the events that follow; it changes the state as it goes (see draft.py), so decisions
on one workflow are made one after the other and their events appended together as one commit.
"""

from osmo_domain.workflow.deadlines import decide_timeouts
from osmo_domain.workflow.decide_cancel import decide_cancel
from osmo_domain.workflow.decide_placed import decide_placed, pending_group
from osmo_domain.workflow.decide_pods import decide_lost, decide_pods, decide_refused
from osmo_domain.workflow.decide_preempted import decide_preempted
from osmo_domain.workflow.decide_reports import decide_reports
from osmo_domain.workflow.decide_start import decide_start

__all__ = [
    "decide_cancel",
    "decide_lost",
    "decide_placed",
    "decide_pods",
    "decide_preempted",
    "decide_refused",
    "decide_reports",
    "decide_start",
    "decide_timeouts",
    "pending_group",
]
