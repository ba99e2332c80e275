"""Lets go whoever is not needed after all."""

from collections.abc import Sequence
from typing import Final

from osmo_domain.placement.low_work import LowGroup
from osmo_domain.placement.room import Ask
from osmo_domain.placement.victims.attempt import Attempt

SPARING_EFFORT: Final = 20_000
"""Victims times tasks of a mixed gang up to which it is tried for each victim whether it can be spared; equals are counted, which costs little."""


def spare(attempt: Attempt, mark: int, excess: int) -> bool:
    """Let the dearest go first, and take the places for good. False where what was cleared room by room does not take the gang as it will be placed."""
    attempt.fitting.undo(mark)
    if not attempt.place():
        return False
    dearest = sorted(attempt.chosen.values(), key=lambda low: (-low.lost(attempt.now), low.key))
    if attempt.gang.of_equals:
        attempt.fitting.undo(mark)
        _spare_by_count(attempt, dearest, excess)
        attempt.place()
    elif len(dearest) * attempt.gang.shape.tasks <= SPARING_EFFORT:
        _spare_by_trying(attempt, dearest, mark, excess)
    return True


def _spare_by_count(attempt: Attempt, dearest: Sequence[LowGroup], excess: int) -> None:
    ((ask, count),) = attempt.gang.asks
    places = {low.key: _places_of(attempt, low, ask) for low in dearest}
    most = count + sum(places.values())
    over = attempt.fitting.places(ask, attempt.closed, soon=True, most=most) - count
    for low in dearest:
        lost = _places_of(attempt, low, ask)
        if lost <= over and _may_be_spared(attempt, low, excess):
            attempt.spare(low)
            over -= lost


def _places_of(attempt: Attempt, low: LowGroup, ask: Ask) -> int:
    """How many fewer there would be, did it stay."""
    fewer = 0
    for room in attempt.rooms_of(low):
        if attempt.open(room, ask):
            later = attempt.fitting.later(room)
            fewer += ask.times_in(later) - ask.times_in(low.stays(later, room.name))
    return fewer


def _spare_by_trying(attempt: Attempt, dearest: Sequence[LowGroup], mark: int, excess: int) -> None:
    for low in dearest:
        if _may_be_spared(attempt, low, excess):
            attempt.fitting.undo(mark)
            attempt.spare(low)
            if not attempt.place():
                attempt.stop(low)
    attempt.fitting.undo(mark)
    attempt.place()


def _may_be_spared(attempt: Attempt, low: LowGroup, excess: int) -> bool:
    """As far as the maximum of the pool says."""
    if excess <= 0 or low.pool != attempt.pool.name:
        return True
    return sum(each.gpus for each in attempt.chosen.values() if each.pool == low.pool) - low.gpus >= excess
