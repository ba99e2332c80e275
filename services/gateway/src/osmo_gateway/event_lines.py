"""`workflow events`: what happened to a workflow and to its pods as lines, `2026-11-20 11:21:50 [task] Reason: message`, until it is over."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec import Struct

from osmo_domain.workflow.events import (
    WORKFLOW_CODEC,
    GroupFinished,
    GroupPlaced,
    GroupQueued,
    GroupUnplaced,
    TaskFinished,
    TaskInitializing,
    TaskPreempted,
    TaskRescheduled,
    TaskRestarted,
    TaskRunning,
    WorkflowCancelRequested,
    WorkflowFinished,
    WorkflowRejected,
    WorkflowSubmitted,
)
from osmo_eventlog.ports import EventLog, Recorded, Seq
from osmo_eventlog.subjects import workflow as workflow_subject
from osmo_gateway.arrivals import Watchers
from osmo_gateway.pod_event_projection import PodEventProjection
from osmo_views.pod_events import PodEventViews
from osmo_views.rows import WorkflowRow

_LAST_WORDS_S = 1.0
"""How long the end waits for what the cluster said before it."""

Write = Callable[[bytes], Awaitable[None]]


class EventQuery(Struct, frozen=True):
    task: str | None = None
    retry_id: int | None = None


class EventLine(Struct, frozen=True):
    """`name` is a task or group, empty for the workflow itself; `last` says that nothing can follow."""

    at: datetime
    reason: str
    message: str = ""
    name: str = ""
    retry_id: int | None = None
    last: bool = False

    def text(self, workflow_id: str) -> str:
        retry = f" retry-{self.retry_id}" if self.retry_id else ""
        said = f"{self.reason}: {self.message}" if self.message else self.reason
        return f"{self.at:%Y-%m-%d %H:%M:%S} [{self.name or workflow_id}{retry}] {said}"


@dataclass(slots=True)
class Place:
    """How far a reader is: positions in WORKFLOWS and in CLUSTERS."""

    commit: Seq = 0
    pod_event: Seq = 0


class EventStream:
    """Lines from two places: the workflow's commits in the log, and what its cluster said about its pods. Each read is in order of time."""

    def __init__(
        self, event_log: EventLog, pod_events: PodEventViews, pod_projection: PodEventProjection, watchers: Watchers
    ) -> None:
        self._log = event_log
        self._pod_events = pod_events
        self._pod_projection = pod_projection
        self._watchers = watchers

    async def tell(self, workflow: WorkflowRow, query: EventQuery, write: Write) -> None:
        """Write what happened, then what happens; returns after the workflow's last event."""
        place = Place()
        with self._watchers.watching(workflow.workflow_id) as changed:
            while True:
                changed.clear()
                lines = await self._next(workflow, place)
                if wanted := [line.text(workflow.workflow_id) for line in lines if _wanted(line, query)]:
                    await write(("\n".join(wanted) + "\n").encode(errors="replace"))
                if any(line.last for line in lines):
                    return
                await changed.wait()

    async def _next(self, workflow: WorkflowRow, place: Place) -> list[EventLine]:
        """What is new behind `place`, which moves on."""
        subject = workflow_subject(workflow.shard, workflow.workflow_id)
        records = await self._log.load(subject, after=place.commit)
        lines = [line for record in records for line in _lines(record)]
        if any(line.last for line in lines):
            await self._pod_projection.caught_up(workflow.backend, within_s=_LAST_WORDS_S)
        said = await self._pod_events.of_workflow(workflow.workflow_id, after=place.pod_event)
        lines += [EventLine(row.at, row.reason, row.message, row.task, row.retry_id) for row in said]
        place.commit = records[-1].seq if records else place.commit
        place.pod_event = said[-1].seq if said else place.pod_event
        return sorted(lines, key=lambda line: (line.last, line.at))


def _wanted(line: EventLine, query: EventQuery) -> bool:
    if query.task is not None and line.name != query.task:
        return False
    return query.retry_id is None or line.retry_id is None or line.retry_id == query.retry_id


def _lines(record: Recorded) -> Iterator[EventLine]:
    try:
        commit = WORKFLOW_CODEC.decode(record.data)
    except msgspec.DecodeError:
        return
    for event in commit.events:
        yield from _of_workflow(event)
        yield from _of_group(event)
        yield from _of_task(event)


def _of_workflow(event: object) -> Iterator[EventLine]:
    match event:
        case WorkflowSubmitted(at=at, user=user):
            yield EventLine(at, "Submitted", f"by {user}")
        case WorkflowRejected(at=at, message=message):
            yield EventLine(at, "Rejected", message, last=True)
        case WorkflowCancelRequested(at=at, user=user, message=message):
            yield EventLine(at, "CancelRequested", f"by {user}" + (f": {message}" if message else ""))
        case WorkflowFinished(at=at, status=status):
            yield EventLine(at, "Finished", status.value, last=True)
        case _:
            pass


def _of_group(event: object) -> Iterator[EventLine]:
    match event:
        case GroupQueued(at=at, group=group):
            yield EventLine(at, "Queued", "waits for a place", group)
        case GroupPlaced(at=at, nodes=nodes, retry_ids=retry_ids, backend=backend):
            for task, node in nodes.items():
                yield EventLine(at, "Placed", f"on node {node} of {backend}", task, retry_ids.get(task))
        case GroupUnplaced(at=at, group=group, reason=reason):
            yield EventLine(at, "PlaceTaken", reason, group)
        case GroupFinished(at=at, group=group, status=status, message=message):
            yield EventLine(at, "GroupFinished", f"{status.value}{f'. {message}' if message else ''}", group)
        case _:
            pass


def _of_task(event: object) -> Iterator[EventLine]:
    match event:
        case TaskInitializing(at=at, task=task, retry_id=retry_id):
            yield EventLine(at, "Initializing", "its pod is being prepared", task, retry_id)
        case TaskRunning(at=at, task=task, retry_id=retry_id):
            yield EventLine(at, "Running", "its pod runs", task, retry_id)
        case TaskFinished(at=at, task=task, retry_id=retry_id):
            yield EventLine(at, "Finished", _end(event), task, retry_id)
        case TaskRescheduled(at=at, task=task, retry_id=retry_id, message=message):
            yield EventLine(at, "Rescheduled", message or "another attempt is queued", task, retry_id)
        case TaskRestarted(at=at, task=task, retry_id=retry_id, message=message):
            yield EventLine(at, "Restarted", message or "its command runs again", task, retry_id)
        case TaskPreempted(at=at, task=task, retry_id=retry_id, by=by, why=why):
            yield EventLine(at, "Preempted", f"by {by}{f': {why}' if why else ''}", task, retry_id)
        case _:
            pass


def _end(event: TaskFinished) -> str:
    said = f"exit code {event.exit_code}"
    code = f", {said}" if event.exit_code is not None and said not in event.message else ""
    return f"{event.status.value}{code}{f'. {event.message}' if event.message else ''}"
