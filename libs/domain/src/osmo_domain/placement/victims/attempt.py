"""One search for victims: what has been chosen so far, who could be chosen besides, and what there would be then."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from osmo_domain.placement.gang import Closed, Fitting, Gang
from osmo_domain.placement.low_work import LowGroup
from osmo_domain.placement.model import GroupKey
from osmo_domain.placement.room import Ask, Entry, Room
from osmo_domain.placement.victims.stage import Stage

if TYPE_CHECKING:
    from osmo_domain.placement.board import Board


class Attempt:
    """For one group: `chosen` are those to be stopped for it, `rooms` its places then. `own_first`: work of other pools only where own does not do."""

    def __init__(
        self,
        board: "Board",
        fitting: Fitting,
        stage: Stage,
        gang: Gang,
        closed: Closed,
        now: datetime,
        *,
        own_first: bool,
    ) -> None:
        self.chosen: dict[GroupKey, LowGroup] = {}
        self.rooms: list[Room] = []
        self.low = board.low
        self.floor = board.floor
        self.fitting = fitting
        self.gang = gang
        self.pool = gang.pool
        self.closed = closed
        self.now = now
        self.own_first = own_first
        self._stage = stage

    def stop(self, low: LowGroup) -> None:
        self._stage.stop(low)
        self.chosen[low.key] = low

    def spare(self, low: LowGroup) -> None:
        self._stage.spare(low)
        del self.chosen[low.key]

    def call_off(self) -> bool:
        """Stop nobody. True where others had been chosen, so that it might go better with own work first."""
        lent = any(low.pool != self.pool.name for low in self.chosen.values())
        for low in list(self.chosen.values()):
            self.spare(low)
        return lent

    def place(self) -> bool:
        """Take the gang's places, with all that leaves counted as free."""
        rooms = self.fitting.place(self.gang, self.closed, soon=True)
        self.rooms = rooms or []
        return rooms is not None

    def may_stop(self, pool: str, beside: Sequence[LowGroup] = ()) -> bool:
        """Work of this pool, when what was chosen and these have been."""
        if pool == self.pool.name:
            return True
        return self._stage.beyond(pool) > sum(low.gpus for low in beside if low.pool == pool)

    def stoppable(self) -> list[str]:
        """Pools whose LOW work may be stopped now; the answer changes with every one that is."""
        return [pool for pool in self.low.pools(self.pool.backend) if self.may_stop(pool)]

    def most_from(self, pool: str) -> int:
        """More GPUs cannot be got from another pool: with the last group that is stopped it falls below its guarantee, no further."""
        return max(0, self._stage.beyond(pool) - 1 + self.low.largest(self.pool.backend, pool))

    def open(self, room: Room, ask: Ask) -> bool:
        return ask.may_use(room) and not self.closed.has(room)

    def may_be_cleared(self, room: Room, ask: Ask) -> bool:
        return room.yields is not None and room.yields >= ask.gpu and self.open(room, ask)

    def without_low(self, room: Room, stoppable: Collection[str]) -> Entry:
        """What would be free, were all stopped here who may be."""
        entry = self.fitting.later(room)
        for pool, (gpu, cpu, memory, storage) in room.low_of.items():
            if pool in stoppable:
                entry = (entry[0] + gpu, entry[1] + cpu, entry[2] + memory, entry[3] + storage, room.name, room)
        return entry

    def rooms_of(self, low: LowGroup) -> list[Room]:
        rooms = self.floor.rooms
        return [room for node in low.nodes if (room := rooms.get((low.backend, node))) is not None]
