"""What is free for groups that wait, remembered for a moment: people ask far more often than it changes, and each look walks over all nodes."""

from datetime import datetime, timedelta
from typing import Final

from osmo_domain.pending import ReasonCode
from osmo_domain.pending_explain import Surroundings, surroundings
from osmo_domain.placement import Board, PendingGroup
from osmo_domain.plan import Resources
from osmo_domain.pool import Pool

GOOD_FOR: Final = timedelta(seconds=1)

_Key = tuple[str, tuple[Resources, ...], ReasonCode]


class RecentSurroundings:
    """What was seen is told again for a second."""

    def __init__(self) -> None:
        self._seen: dict[_Key, Surroundings] = {}
        self._since: datetime | None = None

    def look(self, board: Board, pool: Pool, group: PendingGroup, code: ReasonCode, now: datetime) -> Surroundings:
        if self._since is None or now - self._since >= GOOD_FOR:
            self._seen.clear()
            self._since = now
        key = pool.name, tuple(task.resources for task in group.tasks), code
        if key not in self._seen:
            self._seen[key] = surroundings(board, pool, group, code)
        return self._seen[key]
