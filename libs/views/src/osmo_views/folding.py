"""From batches of commits to changed rows: live states are kept in memory, and only what an event touched is written. A state to which nothing
happens for a while is kept as bytes (osmo_domain.workflow.resting).

A state that is not in memory (after a start, or because it was long idle) is loaded from the log through the `Loader` that is handed in.
Folding the same commit twice changes nothing, so that a batch whose write failed is simply folded again.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.workflow.events import WorkflowEvent, WorkflowRejected, WorkflowSubmitted
from osmo_domain.workflow.evolve import apply_commit
from osmo_domain.workflow.resting import REST_AFTER, Rest, Turns, put_to_rest, wake
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import WORKFLOW_FINISHED
from osmo_views.row_making import attempt_of, attempt_row, group_row, workflow_row
from osmo_views.rows import Changes, WorkflowRow
from osmo_views.touched import Touched

WorkflowCommit = Commit[WorkflowEvent | UnknownEvent]


@dataclass(frozen=True, slots=True)
class LoggedCommit:
    """A hydrated commit and where it stands in WORKFLOWS."""

    seq: int
    shard: int
    workflow_id: str
    commit: WorkflowCommit


Loader = Callable[[int, str], Awaitable[Sequence[LoggedCommit]]]
"""(shard, workflow id) to every commit of that workflow, oldest first, hydrated."""


@dataclass(slots=True)
class Folded:
    """One state in memory, the position up to which it is folded, and what is static about its rows."""

    state: Workflow
    seq: int
    submit_seq: int
    shard: int
    written: WorkflowRow | None = None
    ordinals: dict[str, int] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return self.state.status in WORKFLOW_FINISHED

    @property
    def weight(self) -> int:
        return 1 + len(self.state.tasks)

    def awake(self) -> "Folded":
        return self

    def at_rest(self) -> "_Resting":
        return _Resting(put_to_rest(self.state), self.seq, self.submit_seq, self.shard, self.weight)


@dataclass(frozen=True, slots=True)
class _Resting:
    """A Folded to which nothing happens. The row that was written last is what the state says, so it is not kept."""

    rest: Rest
    seq: int
    submit_seq: int
    shard: int
    weight: int

    def awake(self) -> Folded:
        state = wake(self.rest)
        written = workflow_row(state, submit_seq=self.submit_seq, last_seq=self.seq, shard=self.shard)
        return Folded(state=state, seq=self.seq, submit_seq=self.submit_seq, shard=self.shard, written=written)

    def at_rest(self) -> "_Resting":
        return self


class Folder:
    """Folds commits in stream order. At most about `max_tasks` tasks of live workflows stay in memory; finished workflows leave it.

    `rest_after`: see Turns.
    """

    def __init__(self, load: Loader, *, max_tasks: int = 50_000, rest_after: int = REST_AFTER) -> None:
        self._load = load
        self._max_tasks = max_tasks
        self._states: OrderedDict[str, Folded | _Resting] = OrderedDict()
        self._turns = Turns(rest_after)
        self._tasks = 0

    async def fold(self, batch: Sequence[LoggedCommit], *, last_seq: int) -> Changes:
        """The rows as they are after this batch, which ends at `last_seq`."""
        touched: dict[str, tuple[Folded, Touched]] = {}
        for logged in batch:
            folded = await self._folded_to(logged)
            if folded is None:
                continue
            _, mark = touched.setdefault(logged.workflow_id, (folded, Touched()))
            for event in logged.commit.events:
                mark.note(event)
        changes = Changes(last_seq=last_seq)
        for folded, mark in touched.values():
            _collect(folded, mark, changes)
        self._shrink(touched)
        return changes

    def forget(self) -> None:
        """Drop every state: what was folded may not have been written."""
        self._states.clear()
        self._turns.clear()
        self._tasks = 0

    async def _folded_to(self, logged: LoggedCommit) -> Folded | None:
        """The state after this commit; None for a commit of a workflow that has no beginning in the log."""
        known = self._states.get(logged.workflow_id)
        if known is None:
            earlier = [] if _begins(logged.commit) else await self._load(logged.shard, logged.workflow_id)
            folded = self._begin([*(one for one in earlier if one.seq < logged.seq), logged])
            if folded is None:
                return None
            self._tasks += folded.weight
            events = max(len(logged.commit.events), folded.weight)
        else:
            folded = known.awake()
            events = len(logged.commit.events)
            if logged.seq > folded.seq:
                folded.state = apply_commit(folded.state, logged.commit) or folded.state
                folded.seq = logged.seq
        self._states[logged.workflow_id] = folded
        self._states.move_to_end(logged.workflow_id)
        self._turns.touch(logged.workflow_id, events=events, tasks=len(folded.state.tasks))
        return folded

    def _begin(self, history: Sequence[LoggedCommit]) -> Folded | None:
        state: Workflow | None = None
        for logged in history:
            state = apply_commit(state, logged.commit)
        if state is None:
            return None
        first, last = history[0], history[-1]
        return Folded(state=state, seq=last.seq, submit_seq=first.seq, shard=first.shard)

    def _shrink(self, touched: Mapping[str, tuple[Folded, Touched]]) -> None:
        for workflow_id, (folded, _) in touched.items():
            if folded.finished:
                self._drop(workflow_id)
        while self._tasks > self._max_tasks and self._states:
            self._drop(next(iter(self._states)))
        for workflow_id in self._turns.take_idle():
            self._states[workflow_id] = self._states[workflow_id].at_rest()

    def _drop(self, workflow_id: str) -> None:
        self._tasks -= self._states.pop(workflow_id).weight
        self._turns.forget(workflow_id)


def _begins(commit: WorkflowCommit) -> bool:
    return bool(commit.events) and isinstance(commit.events[0], WorkflowSubmitted | WorkflowRejected)


def _collect(folded: Folded, mark: Touched, changes: Changes) -> None:
    """Turn what was touched of one workflow into rows."""
    state = folded.state
    row = workflow_row(state, submit_seq=folded.submit_seq, last_seq=folded.seq, shard=folded.shard)
    if mark.whole:
        changes.new_workflows.append(row)
        _collect_whole(state, changes)
    else:
        if row != folded.written:
            changes.changed_workflows.append(row)
        _collect_touched(folded, mark, changes)
    folded.written = row


def _collect_whole(state: Workflow, changes: Changes) -> None:
    changes.new_groups += [group_row(state, name, ordinal) for ordinal, name in enumerate(state.groups)]
    changes.new_attempts += [
        attempt_row(state, task, attempt) for task in state.tasks.values() for attempt in (*task.earlier, task.attempt)
    ]


def _collect_touched(folded: Folded, mark: Touched, changes: Changes) -> None:
    state = folded.state
    if mark.group_tasks and state.plan is not None:
        for name in mark.group_tasks & state.groups.keys():
            mark.attempts |= {
                (task.name, state.tasks[task.name].attempt.retry_id) for task in state.group_plan(name).tasks
            }
    for task, retry_id in sorted(mark.attempts):
        _collect_attempt(state, task, retry_id, mark, changes)
    if mark.groups and not folded.ordinals:
        folded.ordinals = {name: ordinal for ordinal, name in enumerate(state.groups)}
    changes.changed_groups += [
        group_row(state, name, folded.ordinals[name]) for name in sorted(mark.groups & state.groups.keys())
    ]


def _collect_attempt(state: Workflow, name: str, retry_id: int, mark: Touched, changes: Changes) -> None:
    task = state.tasks.get(name)
    attempt = attempt_of(task, retry_id) if task else None
    if task is None or attempt is None:
        return
    mark.groups.add(task.group)
    row = attempt_row(state, task, attempt)
    (changes.new_attempts if (name, retry_id) in mark.born else changes.changed_attempts).append(row)
