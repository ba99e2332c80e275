"""`workflow events`: the commits of a workflow as lines, `2026-11-20 11:21:50 [task] Reason: message`, until it is over."""

from collections.abc import Awaitable, Callable, Iterator
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
from osmo_eventlog.ports import After, EventLog, Recorded
from osmo_eventlog.subjects import WORKFLOWS
from osmo_eventlog.subjects import workflow as workflow_subject
from osmo_views.rows import WorkflowRow

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


class EventStream:
    def __init__(self, event_log: EventLog) -> None:
        self._log = event_log

    async def tell(self, workflow: WorkflowRow, query: EventQuery, write: Write) -> None:
        """Write what happened, then what happens; returns after the workflow's last event."""
        subject = workflow_subject(workflow.shard, workflow.workflow_id)
        async for batch in self._log.follow(WORKFLOWS, [subject], After(0)):
            lines = [line for record in batch for line in _lines(record)]
            wanted = [line.text(workflow.workflow_id) for line in lines if _wanted(line, query)]
            if wanted:
                await write(("\n".join(wanted) + "\n").encode(errors="replace"))
            if any(line.last for line in lines):
                return


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
            yield EventLine(at, "GroupFinished", f"{status.value}{f', {message}' if message else ''}", group)
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
    code = f", exit code {event.exit_code}" if event.exit_code is not None else ""
    return f"{event.status.value}{code}{f', {event.message}' if event.message else ''}"
