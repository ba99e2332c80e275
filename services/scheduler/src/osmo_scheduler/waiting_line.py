"""The groups that wait for a place, and why each of them still does."""

from collections.abc import Collection, Iterable, Sequence

from osmo_domain.pending import Reason
from osmo_domain.pending_explain import reason_of
from osmo_domain.placement import PendingGroup, Waiting
from osmo_domain.workflow.decide import pending_group
from osmo_domain.workflow.state import Workflow
from osmo_scheduler.aggregates import Entry

_Key = tuple[str, str]


class WaitingLine:
    """`grew` says that somebody joined since it was last cleared."""

    def __init__(self) -> None:
        self._groups: dict[_Key, PendingGroup] = {}
        self._reasons: dict[_Key, Reason] = {}
        self.grew = False

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def groups(self) -> Collection[PendingGroup]:
        return self._groups.values()

    def group(self, workflow_id: str, group: str) -> PendingGroup | None:
        return self._groups.get((workflow_id, group))

    def sync(self, entry: Entry, groups: Iterable[str]) -> None:
        """Let these groups of the workflow wait, or no longer, as its state says."""
        for group in groups:
            key = (entry.state.workflow_id, group)
            waiting = pending_group(entry.state, group, entry.order)
            if waiting is None:
                self._groups.pop(key, None)
                self._reasons.pop(key, None)
            elif self._groups.get(key) != waiting:
                self._groups[key] = waiting
                self.grew = True

    def forget(self, state: Workflow) -> None:
        for group in state.groups:
            self._groups.pop((state.workflow_id, group), None)
            self._reasons.pop((state.workflow_id, group), None)

    def explain(self, waiting: Sequence[Waiting]) -> None:
        self._reasons = {(each.workflow_id, each.group): reason_of(each) for each in waiting}

    def reason(self, workflow_id: str, group: str) -> Reason | None:
        return self._reasons.get((workflow_id, group))
