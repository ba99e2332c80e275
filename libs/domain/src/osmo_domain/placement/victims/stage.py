"""Who has been stopped in this round, and what that makes of usage, rooms and candidates."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from osmo_domain.placement.gang import Fitting
from osmo_domain.placement.low_work import LowGroup
from osmo_domain.placement.model import GroupKey, Held
from osmo_domain.placement.room import Room
from osmo_domain.placement.usage import Usage, guaranteed

if TYPE_CHECKING:
    from osmo_domain.placement.board import Board


class Stage:
    """The board as it is once all of `stopped` have left."""

    def __init__(self, board: "Board", fitting: Fitting, usage: Usage) -> None:
        self.usage = usage
        self.stopped: dict[GroupKey, LowGroup] = {}
        self._board = board
        self._fitting = fitting
        self._guarantees: dict[str, int] = {}

    def stop(self, low: LowGroup) -> None:
        self.stopped[low.key] = low
        self._board.low.hide(low)
        self.usage.add(low.pool, -low.gpus, low=True)
        for room, held in self._places(low):
            room.drop_low(held.pod)
            self._fitting.soon.clear(room, held.resources)

    def spare(self, low: LowGroup) -> None:
        """Take that back."""
        del self.stopped[low.key]
        self._board.low.show(low)
        self.usage.add(low.pool, low.gpus, low=True)
        for room, held in self._places(low):
            room.add_low(held)
            self._fitting.soon.clear(room, held.resources, -1)

    def _places(self, low: LowGroup) -> Iterator[tuple[Room, Held]]:
        for held in low.held.values():
            room = self._board.floor.rooms.get((held.backend, held.node))
            if room is not None:
                yield room, held

    def beyond(self, pool: str) -> int:
        """GPUs that the pool holds beyond its guarantee."""
        guarantee = self._guarantees.get(pool)
        if guarantee is None:
            guarantee = self._guarantees[pool] = guaranteed(self._board.floor, pool)
        return self.usage.total(pool) - guarantee
