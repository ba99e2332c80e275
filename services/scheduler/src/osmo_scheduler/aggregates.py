"""The workflows of this shard that have not ended, as folded so far: a cache of the log that may be thrown away at any moment."""

from collections.abc import Iterator
from dataclasses import dataclass

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.workflow.events import WorkflowEvent
from osmo_domain.workflow.evolve import apply_commit
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import WORKFLOW_FINISHED
from osmo_eventlog.ports import Recorded, Seq


@dataclass(slots=True)
class Entry:
    """`seq` is the position of the last commit in `state`; `order` that of the first: who came first goes first."""

    state: Workflow
    seq: Seq
    order: Seq

    @property
    def over(self) -> bool:
        return self.state.status in WORKFLOW_FINISHED


class Aggregates:
    def __init__(self) -> None:
        self._by_id: dict[str, Entry] = {}
        self._id_of_uuid: dict[str, str] = {}

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

    def drop(self, entry: Entry) -> None:
        self._by_id.pop(entry.state.workflow_id, None)
        self._id_of_uuid.pop(entry.state.uuid, None)

    def receive(self, workflow_id: str, record: Recorded, commit: Commit[WorkflowEvent | UnknownEvent]) -> Entry | None:
        """Fold what the follower brought. None when it is no news (our own commit, or a workflow that is over and forgotten)."""
        entry = self._by_id.get(workflow_id)
        if entry is not None:
            if record.seq <= entry.seq:
                return None
            apply_commit(entry.state, commit)
            entry.seq = record.seq
            return entry
        state = apply_commit(None, commit)
        if state is None or state.status in WORKFLOW_FINISHED:
            return None
        entry = Entry(state, record.seq, record.seq)
        self.keep(entry)
        return entry
