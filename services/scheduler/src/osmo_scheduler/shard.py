"""Everything that this scheduler knows of its shard, and the indexes over it: kept in step with the states at the cost of what changed."""

from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from osmo_domain.clusters import Clusters
from osmo_domain.config import Catalogue
from osmo_domain.placement import Board
from osmo_domain.workflow.deadlines import deadlines, deadlines_after
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
    WorkflowCancelRequested,
    WorkflowEvent,
    WorkflowFinished,
    WorkflowRejected,
    WorkflowSubmitted,
    WorkflowTagged,
)
from osmo_domain.workflow.resting import REST_AFTER
from osmo_domain.workflow.state import Workflow
from osmo_eventlog.ports import Seq
from osmo_scheduler.aggregates import Aggregates, Entry
from osmo_scheduler.cluster_book import ClusterBook
from osmo_scheduler.removals import Removals
from osmo_scheduler.surroundings import RecentSurroundings
from osmo_scheduler.timers import Timers
from osmo_scheduler.waiting_line import WaitingLine


class Shard:
    """`positions`: stream to the position up to which everything has been taken in. `owns` tells the backends of this shard from others."""

    def __init__(
        self,
        catalogue: Catalogue,
        owns: Callable[[str], bool] = lambda _: True,
        clusters: Clusters | None = None,
        *,
        rest_after: int = REST_AFTER,
    ) -> None:
        self.owns = owns
        self.catalogue = catalogue
        self.positions: dict[str, Seq] = {}
        self.aggregates = Aggregates(rest_after)
        self.board = Board()
        self.line = WaitingLine(self.board)
        self.book = ClusterBook(self.board, clusters)
        self.removals = Removals()
        self.surroundings = RecentSurroundings()
        self.timers = Timers(lambda workflow_id: self.aggregates.get(workflow_id) is not None)

    def note(self, entry: Entry, events: Sequence[WorkflowEvent]) -> None:
        """These events are folded into the entry's state: bring the indexes up to date with them."""
        self.aggregates.touch(entry, len(events))
        tasks, groups = _touched(entry.state, events)
        self.book.sync(entry.state, tasks)
        self.line.sync(entry, groups)
        self.timers.add(entry.state.workflow_id, deadlines_after(entry.state, events))

    def index(self, entry: Entry) -> None:
        """Put the whole of one workflow into the indexes, whatever they held of it. Costs what the workflow has."""
        self.aggregates.keep(entry)
        self.book.sync(entry.state, entry.state.tasks)
        self.line.sync(entry, entry.state.groups)
        self.timers.add(entry.state.workflow_id, deadlines(entry.state))

    def forget(self, entry: Entry) -> None:
        """It is over: nothing of it is needed here any more (its pods are remembered by `removals`)."""
        self.aggregates.drop(entry)
        self.book.forget(entry.state)
        self.line.forget(entry.state)


def _touched(state: Workflow, events: Iterable[WorkflowEvent]) -> tuple[dict[str, None], dict[str, None]]:
    """The tasks whose place and the groups whose waiting these events may have changed, each once and in order."""
    tasks: dict[str, None] = {}
    groups: dict[str, None] = {}
    for event in events:
        match event:
            case TaskFinished(task=task):
                tasks[task] = None
            case TaskRescheduled(task=task):
                tasks[task] = groups[state.tasks[task].group] = None
            case GroupPlaced(group=group, nodes=nodes):
                tasks |= dict.fromkeys(nodes)
                groups[group] = None
            case GroupUnplaced(group=group):
                tasks |= {task.name: None for task in state.group_plan(group).tasks}
                groups[group] = None
            case GroupQueued(group=group) | GroupFinished(group=group):
                groups[group] = None
            case TaskInitializing() | TaskRunning() | TaskDownloading() | TaskDownloaded() | TaskUploading():
                pass
            case TaskRestarted() | TaskPreempted() | WorkflowFinished() | WorkflowTagged():
                pass
            case WorkflowSubmitted() | WorkflowRejected() | WorkflowCancelRequested():
                pass
            case _:
                assert_never(event)
    return tasks, groups
