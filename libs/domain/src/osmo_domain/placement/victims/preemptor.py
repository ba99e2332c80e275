"""Decides whom to stop, and says it."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from osmo_domain.pending import Victim
from osmo_domain.placement.gang import Closed, Fitting, Gang
from osmo_domain.placement.model import PendingGroup, Preemption
from osmo_domain.placement.usage import Usage
from osmo_domain.placement.victims.attempt import Attempt
from osmo_domain.placement.victims.clearing import below_maximum, clear
from osmo_domain.placement.victims.sparing import spare
from osmo_domain.placement.victims.stage import Stage

if TYPE_CHECKING:
    from osmo_domain.placement.board import Board

VICTIMS_NAMED: Final = 20


class Stopped(Struct):
    """The decision: who is stopped, as events will tell, and as the one who waits is told."""

    preemptions: list[Preemption]
    named: tuple[Victim, ...]
    nodes: tuple[str, ...]


class Preemptor:
    """For one round. Whoever is chosen counts as leaving from then on, until `restore` at its end."""

    def __init__(self, board: "Board", fitting: Fitting, usage: Usage, now: datetime) -> None:
        self._stage = Stage(board, fitting, usage)
        self._board = board
        self._fitting = fitting
        self._now = now

    def restore(self) -> None:
        """Leave the board as it was."""
        for low in list(self._stage.stopped.values()):
            self._stage.spare(low)

    def make_room(self, gang: Gang, group: PendingGroup, closed: Closed, excess: int) -> Stopped | None:
        """Stop what is needed so that the group can start, and take the places for it; None, and nothing changed, where that cannot be.

        `excess` GPUs must be given up by its own pool, whatever is free.
        """
        attempt = self._succeed(gang, closed, excess) if self._board.low.groups else None
        if attempt is None:
            return None
        why = f"{group.priority} work of pool {gang.pool.name} needs {gang.shape.gpus} GPUs within its guarantee."
        chosen = list(attempt.chosen.values())
        preemptions = [
            Preemption(*low.key, low.pool, low.gpus, group.key, why, round(low.lost(self._now), 3)) for low in chosen
        ]
        named = tuple(Victim(*low.key, low.gpus) for low in chosen[:VICTIMS_NAMED])
        return Stopped(preemptions, named, tuple(room.name for room in attempt.rooms))

    def _succeed(self, gang: Gang, closed: Closed, excess: int) -> Attempt | None:
        """The cheapest victims; where those of other pools would have to give too much, own work before theirs."""
        mark = self._fitting.mark()
        for own_first in (False, True):
            attempt = Attempt(self._board, self._fitting, self._stage, gang, closed, self._now, own_first=own_first)
            if below_maximum(attempt, excess) and clear(attempt) and spare(attempt, mark, excess):
                return attempt
            self._fitting.undo(mark)
            if not attempt.call_off():
                break
        return None
