"""A decision being made: the events so far, each already folded into the state, so that the next rule sees what the last one decided.

Every `decide_*` changes the state that it is given: a state in memory is a disposable cache, and only an append makes its events true.
Whoever cannot append (Stale) throws the state away, loads again and decides again.
"""

from collections.abc import Iterator
from datetime import datetime

from osmo_domain.plan import GroupPlan
from osmo_domain.workflow.events import WorkflowEvent
from osmo_domain.workflow.evolve import evolve
from osmo_domain.workflow.state import Group, Task, Workflow
from osmo_domain.workflow.status import FINISHED, WORKFLOW_FINISHED


class Draft:
    """The events of one decision at `now` on one workflow."""

    def __init__(self, state: Workflow, now: datetime) -> None:
        self.state = state
        self.now = now
        self.events: list[WorkflowEvent] = []

    def add(self, event: WorkflowEvent) -> None:
        self.events.append(event)
        evolve(self.state, event)

    @property
    def over(self) -> bool:
        return self.state.status in WORKFLOW_FINISHED

    def plan_of(self, group: Group) -> GroupPlan:
        return self.state.group_plan(group.name)

    def tasks_of(self, group: Group) -> Iterator[Task]:
        return (self.state.tasks[task.name] for task in self.plan_of(group).tasks)

    def live_attempt(self, task: str, retry_id: int) -> Task | None:
        """The task, where this is its latest attempt, it has been placed and it has not ended."""
        known = self.state.tasks.get(task)
        if known is None or known.attempt.retry_id != retry_id or known.status in FINISHED:
            return None
        return known if known.attempt.scheduling_at is not None else None
