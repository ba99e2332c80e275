"""The workflows of this shard that have not ended, as folded so far: a cache of the log that may be thrown away at any moment."""

from collections.abc import Callable, Iterator

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.workflow.events import WorkflowEvent
from osmo_domain.workflow.evolve import apply_commit
from osmo_domain.workflow.resting import REST_AFTER, Rest, Turns, put_to_rest, wake
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import WORKFLOW_FINISHED
from osmo_eventlog.ports import Recorded, Seq

REST_AT_ONCE = 2_000
"""Tasks whose states are put to rest between two rounds."""


class Entry:
    """`seq` is the position of the last commit in `state`; `order` that of the first: who came first goes first.

    A state that rests comes to life when somebody looks at it.
    """

    __slots__ = ("_rest", "_state", "order", "seq", "woken")

    def __init__(self, state: Workflow, seq: Seq, order: Seq) -> None:
        self._state: Workflow | None = state
        self._rest: Rest | None = None
        self.seq = seq
        self.order = order
        self.woken: Callable[[Entry], None] = _nobody
        """Told when the state has come to life."""

    @property
    def state(self) -> Workflow:
        if self._state is None:
            assert self._rest is not None
            self._state, self._rest = wake(self._rest), None
            self.woken(self)
        return self._state

    @state.setter
    def state(self, state: Workflow) -> None:
        self._state, self._rest = state, None

    @property
    def resting(self) -> Rest | None:
        """The state as it rests; None for one that is alive."""
        return self._rest

    @property
    def over(self) -> bool:
        return self.state.status in WORKFLOW_FINISHED

    def rest(self) -> None:
        if self._state is not None:
            self._rest = put_to_rest(self._state)
            self._state = None


class Aggregates:
    """`rest_after`: see Turns."""

    def __init__(self, rest_after: int = REST_AFTER) -> None:
        self._by_id: dict[str, Entry] = {}
        self._id_of_uuid: dict[str, str] = {}
        self._turns = Turns(rest_after)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_id.values())

    def get(self, workflow_id: str) -> Entry | None:
        return self._by_id.get(workflow_id)

    def by_uuid(self, workflow_uuid: str) -> Entry | None:
        return self._by_id.get(self._id_of_uuid.get(workflow_uuid, ""))

    def keep(self, entry: Entry) -> None:
        self._by_id[entry.state.workflow_id] = entry
        self._id_of_uuid[entry.state.uuid] = entry.state.workflow_id
        entry.woken = self.touch
        self.touch(entry)

    def touch(self, entry: Entry, events: int = 1) -> None:
        """So many events happened to this workflow: it is not its turn to rest."""
        self._turns.touch(entry.state.workflow_id, events=events, tasks=len(entry.state.tasks))

    def rest(self) -> None:
        """Put to rest those whose turn it is; as many as take a few milliseconds, the others the next time."""
        tasks = 0
        for workflow_id in self._turns.take_idle():
            entry = self._by_id[workflow_id]
            tasks += len(entry.state.tasks)
            entry.rest()
            if tasks > REST_AT_ONCE:
                return

    def drop(self, entry: Entry) -> None:
        self._by_id.pop(entry.state.workflow_id, None)
        self._id_of_uuid.pop(entry.state.uuid, None)
        self._turns.forget(entry.state.workflow_id)

    def receive(self, workflow_id: str, record: Recorded, commit: Commit[WorkflowEvent | UnknownEvent]) -> Entry | None:
        """Fold what the follower brought. None when it is no news (our own commit, or a workflow that is over and forgotten)."""
        entry = self._by_id.get(workflow_id)
        if entry is not None:
            if record.seq <= entry.seq:
                return None
            apply_commit(entry.state, commit)
            entry.seq = record.seq
            self.touch(entry, len(commit.events))
            return entry
        state = apply_commit(None, commit)
        if state is None or state.status in WORKFLOW_FINISHED:
            return None
        entry = Entry(state, record.seq, record.seq)
        self.keep(entry)
        self.touch(entry, len(state.tasks))
        return entry


def _nobody(_: Entry) -> None:
    """For entries that nobody keeps yet."""
