"""What arrived for one workflow since the last round, and the decision on all of it together: one round, one commit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from osmo_domain.cluster import GroupRefused, PodFact
from osmo_domain.placement import Placement, Preemption
from osmo_domain.report import TaskReported
from osmo_domain.workflow.deadlines import Deadline
from osmo_domain.workflow.decide import (
    decide_cancel,
    decide_lost,
    decide_placed,
    decide_pods,
    decide_preempted,
    decide_refused,
    decide_reports,
    decide_start,
    decide_timeouts,
)
from osmo_domain.workflow.events import WorkflowEvent
from osmo_domain.workflow.state import Workflow


@dataclass(slots=True)
class News:
    """`fresh`: the state was just submitted, loaded or changed by others, so that anything may be left to decide. `cause` is the latest input."""

    fresh: bool = False
    cause: str = ""
    foreign: list[WorkflowEvent] = field(default_factory=list)
    """Events that others appended, or an earlier term of ours: folded already, and what they command is still to be said."""
    reports: list[TaskReported] = field(default_factory=list)
    pods: list[PodFact] = field(default_factory=list)
    refused: list[GroupRefused] = field(default_factory=list)
    lost: list[tuple[str, int, str]] = field(default_factory=list)
    """Task, retry_id and why its pod is known to be gone."""
    due: list[Deadline] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    preemptions: list[Preemption] = field(default_factory=list)


def decide(state: Workflow, news: News, now: datetime) -> list[WorkflowEvent]:
    """Everything that follows from the news but placements. What was seen comes before what is wanted. Changes the state."""
    events: list[WorkflowEvent] = []
    if news.fresh:
        events += decide_start(state, now)
    if news.reports:
        events += decide_reports(state, news.reports, now)
    if news.pods:
        events += decide_pods(state, news.pods, now)
    for fact in news.refused:
        events += decide_refused(state, fact, now)
    for task, retry_id, why in news.lost:
        events += decide_lost(state, [(task, retry_id)], why, now)
    if news.due:
        events += decide_timeouts(state, news.due, now)
    events += decide_cancel(state, now)
    return events


def place(
    state: Workflow, placements: Iterable[Placement], preemptions: Iterable[Preemption], now: datetime
) -> list[WorkflowEvent]:
    """The places that are taken and given, as far as there still is what to take, and somebody who wants. Changes the state."""
    events: list[WorkflowEvent] = []
    for taken in preemptions:
        events += decide_preempted(state, taken.group, "/".join(taken.by), taken.why, now)
    for given in placements:
        events += decide_placed(state, given.group, given.nodes, now, quota=given.quota)
    return events
