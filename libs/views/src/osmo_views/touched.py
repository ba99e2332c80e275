"""Which rows an event touches: told from the event alone."""

from dataclasses import dataclass, field

from osmo_domain.commit import UnknownEvent
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupPlaced,
    GroupQueued,
    GroupUnplaced,
    TaskDownloaded,
    TaskDownloading,
    TaskFinished,
    TaskInitializing,
    TaskPreempted,
    TaskRescheduled,
    TaskRestarted,
    TaskRunning,
    TaskUploading,
    WorkflowEvent,
    WorkflowRejected,
    WorkflowSubmitted,
)


@dataclass(slots=True)
class Touched:
    """What a batch touched of one workflow. The workflow's own row is always looked at.

    `group_tasks` are groups whose tasks moved along with them; `born` are attempts that began to exist.
    """

    whole: bool = False
    groups: set[str] = field(default_factory=set)
    group_tasks: set[str] = field(default_factory=set)
    attempts: set[tuple[str, int]] = field(default_factory=set)
    born: set[tuple[str, int]] = field(default_factory=set)

    def note(self, event: WorkflowEvent | UnknownEvent) -> None:
        match event:
            case WorkflowSubmitted() | WorkflowRejected():
                self.whole = True
            case GroupQueued(group=group) | GroupUnplaced(group=group) | GroupFinished(group=group):
                self.groups.add(group)
                self.group_tasks.add(group)
            case GroupPlaced(group=group, retry_ids=retry_ids):
                self.groups.add(group)
                self.attempts.update(retry_ids.items())
            case TaskRescheduled(task=task, retry_id=retry_id):
                self.attempts |= {(task, retry_id), (task, retry_id + 1)}
                self.born.add((task, retry_id + 1))
            case (
                TaskInitializing(task=task, retry_id=retry_id)
                | TaskDownloading(task=task, retry_id=retry_id)
                | TaskDownloaded(task=task, retry_id=retry_id)
                | TaskRunning(task=task, retry_id=retry_id)
                | TaskUploading(task=task, retry_id=retry_id)
                | TaskFinished(task=task, retry_id=retry_id)
                | TaskRestarted(task=task, retry_id=retry_id)
                | TaskPreempted(task=task, retry_id=retry_id)
            ):
                self.attempts.add((task, retry_id))
            case _:
                pass
