"""The groups that wait for a place, as their workflows' states say."""

from collections.abc import Iterable

from msgspec.structs import replace

from osmo_domain.placement import Board, PendingGroup
from osmo_domain.workflow.decide import pending_group
from osmo_domain.workflow.state import Workflow
from osmo_scheduler.aggregates import Entry


class WaitingLine:
    """The line itself stands on the board. `grew` says that somebody joined since it was last cleared; `shrank`, that somebody left without a place
    (others may have been held back for him)."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.grew = False
        self.shrank = False

    def __len__(self) -> int:
        return len(self._board.line)

    def group(self, workflow_id: str, group: str) -> PendingGroup | None:
        return self._board.line.groups.get((workflow_id, group))

    def sync(self, entry: Entry, groups: Iterable[str]) -> None:
        """Let these groups of the workflow wait, or no longer, as its state says."""
        for group in groups:
            key = (entry.state.workflow_id, group)
            waiting = pending_group(entry.state, group, entry.order)
            if waiting is None:
                self._leave(key)
            else:
                self._join(waiting)

    def _join(self, waiting: PendingGroup) -> None:
        known = self._board.line.groups.get(waiting.key)
        if known is not None and known.tasks == waiting.tasks:
            waiting = replace(waiting, owed=known.owed)
        if known != waiting:
            self._board.line.join(waiting)
            self.grew = True

    def forget(self, state: Workflow) -> None:
        for group in state.groups:
            self._leave((state.workflow_id, group))

    def _leave(self, key: tuple[str, str]) -> None:
        if self._board.line.leave(key) is not None:
            self.shrank = True
