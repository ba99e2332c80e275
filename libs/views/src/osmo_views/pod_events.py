"""What clusters said about pods, for `workflow events`: the latest events of each attempt. Two adapters; one contract suite proves them.

These rows come from the CLUSTERS stream, which keeps days: what was dropped before is not folded again from older messages.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct


class PodEventRow(Struct, frozen=True):
    """One event. `seq` is the position in CLUSTERS of the message that told it, `ordinal` its place in there."""

    seq: int
    ordinal: int
    workflow_id: str
    task: str
    retry_id: int
    at: datetime
    reason: str
    message: str


class PodEventViews(Protocol):
    async def checkpoint(self) -> int:
        """The position of CLUSTERS up to which the rows are folded."""
        ...

    async def apply(self, events: Sequence[PodEventRow], *, last_seq: int, keep: int) -> None:
        """Write the rows, move the checkpoint (never back), and leave each attempt its newest `keep` rows; all or nothing."""
        ...

    async def of_workflow(self, workflow_id: str, *, after: int = 0) -> Sequence[PodEventRow]:
        """Those behind position `after`, in the order of the log."""
        ...

    async def reset(self) -> None:
        """Remove every row and begin again from position 0."""
        ...


class MemoryPodEvents:
    def __init__(self) -> None:
        self._seq = 0
        self._rows: defaultdict[str, dict[tuple[int, int], PodEventRow]] = defaultdict(dict)

    async def checkpoint(self) -> int:
        return self._seq

    async def apply(self, events: Sequence[PodEventRow], *, last_seq: int, keep: int) -> None:
        for event in events:
            self._rows[event.workflow_id][event.seq, event.ordinal] = event
        for workflow_id in {event.workflow_id for event in events}:
            self._rows[workflow_id] = _newest(self._rows[workflow_id], keep)
        self._seq = max(self._seq, last_seq)

    async def of_workflow(self, workflow_id: str, *, after: int = 0) -> Sequence[PodEventRow]:
        return [row for place, row in sorted(self._rows.get(workflow_id, {}).items()) if place[0] > after]

    async def reset(self) -> None:
        self._seq = 0
        self._rows.clear()


def _newest(rows: dict[tuple[int, int], PodEventRow], keep: int) -> dict[tuple[int, int], PodEventRow]:
    kept: dict[tuple[int, int], PodEventRow] = {}
    counts: defaultdict[tuple[str, int], int] = defaultdict(int)
    for place, row in sorted(rows.items(), reverse=True):
        counts[row.task, row.retry_id] += 1
        if counts[row.task, row.retry_id] <= keep:
            kept[place] = row
    return kept
