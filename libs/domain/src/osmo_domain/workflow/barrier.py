"""The start barrier of a group: nobody's command starts before everybody is there. Pure, and decided from what is in the log alone.

Every member reports AT_BARRIER before each start of its command. These reports stay true: who was there once has been there. So the answer
is the same for whoever asks, however often and from wherever: after a restart of a log-router, over several of them, and for a member
that goes again alone while the others run on.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from osmo_domain.report import TaskPhase, TaskReported
from osmo_domain.workflow.state import Attempt, Workflow
from osmo_domain.workflow.status import GROUP_FINISHED

REMEMBERED: Final = timedelta(days=6)
"""Reports are kept a little longer than this. Who has run for as long has passed the barrier, though nobody can tell any more."""

Start = tuple[int, int]
"""Which start of a task's command: the attempt, and how often that was restarted in place."""


class Arrivals:
    """Which start each task has reported to be ready for."""

    def __init__(self) -> None:
        self._latest: dict[str, Start] = {}

    def see(self, reports: Iterable[TaskReported]) -> bool:
        """Take in what was reported; True when somebody arrived. Repeats and late ones change nothing."""
        arrived = False
        for report in reports:
            start = (report.retry_id, report.restarts)
            if report.phase is TaskPhase.AT_BARRIER and start > self._latest.get(report.task, (-1, 0)):
                self._latest[report.task] = start
                arrived = True
        return arrived

    def of(self, task: str) -> Start | None:
        return self._latest.get(task)


def may_start(state: Workflow, group: str, arrivals: Arrivals, now: datetime, *, count: int = 0) -> bool:
    """Whether every member of the group that has not ended is there; with `count` > 0, whether that many are.

    Who reported a start that `state` does not know of yet is not there: then the state is older than the reports, and a newer one will tell.
    """
    members = _unfinished(state, group)
    if count > 0:
        return sum(_is_there(name, attempt, arrivals, now) for name, attempt in members) >= count
    return all(_is_there(name, attempt, arrivals, now) for name, attempt in members)


def _unfinished(state: Workflow, group: str) -> Iterator[tuple[str, Attempt]]:
    for plan in state.group_plan(group).tasks:
        task = state.tasks[plan.name]
        if task.status not in GROUP_FINISHED:
            yield task.name, task.attempt


def _is_there(task: str, attempt: Attempt, arrivals: Arrivals, now: datetime) -> bool:
    began = attempt.restarted_at or attempt.started_at
    if began is not None and now - began > REMEMBERED:
        return True
    return arrivals.of(task) == (attempt.retry_id, attempt.restarts)
