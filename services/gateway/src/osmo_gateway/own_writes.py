"""Whoever submits through this gateway sees their submission in its next answer: reads wait, shortly, for the caller's own writes."""

from collections import OrderedDict

from osmo_eventlog.ports import EventLog
from osmo_eventlog.subjects import WORKFLOWS, workflow_any_shard
from osmo_gateway.projection import Projection

_REMEMBERED = 10_000
WAIT_S = 1.0


class OwnWrites:
    def __init__(self, projection: Projection, event_log: EventLog) -> None:
        self._projection = projection
        self._log = event_log
        self._positions: OrderedDict[str, int] = OrderedDict()

    def note(self, seq: int, *keys: str) -> None:
        """A commit at `seq` was handed out; keys are workflow ids and users."""
        for key in keys if seq else ():
            self._positions[key] = seq
            self._positions.move_to_end(key)
            while len(self._positions) > _REMEMBERED:
                self._positions.popitem(last=False)

    async def visible(self, key: str) -> None:
        """Wait until the last write under this key can be read, or the bound is over."""
        seq = self._positions.get(key)
        if seq is not None and await self._projection.reached(seq, within_s=WAIT_S):
            self._positions.pop(key, None)

    async def appeared(self, workflow_id: str) -> bool:
        """For an id that is not in the views: True when the log has it and the views have caught up with it (another gateway took it)."""
        last = await self._log.last(WORKFLOWS, workflow_any_shard(workflow_id))
        return last is not None and await self._projection.reached(last.seq, within_s=WAIT_S)
