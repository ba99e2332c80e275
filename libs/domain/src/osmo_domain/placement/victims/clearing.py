"""Stops work until there is room."""

from collections.abc import Sequence

from osmo_domain.placement.room import Ask, Room
from osmo_domain.placement.victims.attempt import Attempt
from osmo_domain.placement.victims.cheapest import cheapest_rooms, victims_on
from osmo_domain.placement.victims.hope import has_hope, is_conceivable
from osmo_domain.placement.victims.regions import regions


def below_maximum(attempt: Attempt, excess: int) -> bool:
    """Own work goes, the youngest first, until the pool is below its maximum."""
    own = attempt.low.youngest(attempt.pool.backend, [attempt.pool.name]) if excess > 0 else ()
    for low in list(own):
        if excess <= 0:
            break
        if low.gpus:
            attempt.stop(low)
            excess -= low.gpus
    return excess <= 0


def clear(attempt: Attempt) -> bool:
    """Stop work, room by room, until every task has a place."""
    gang = attempt.gang
    if not gang.shape.topological:
        return all(_clear_for(attempt, ask, count, None) for ask, count in gang.asks)
    stoppable = attempt.stoppable()
    for rooms in regions(attempt.floor, gang):
        if not all(has_hope(attempt, rooms, ask, count, stoppable) for ask, count in gang.asks):
            continue
        before, mark = dict(attempt.chosen), attempt.fitting.mark()
        cleared = all(_clear_for(attempt, ask, count, rooms) for ask, count in gang.asks)
        attempt.fitting.undo(mark)
        if cleared and attempt.place():
            return True
        for low in [low for key, low in attempt.chosen.items() if key not in before]:
            attempt.spare(low)
    return False


def _clear_for(attempt: Attempt, ask: Ask, count: int, within: Sequence[Room] | None) -> bool:
    """Take `count` rooms for the ask, stopping whom it costs least."""
    count = _take_what_is_there(attempt, ask, count, within)
    while count and is_conceivable(attempt, ask, count, within):
        left = count
        for room in cheapest_rooms(attempt, ask, count, within):
            count -= _clear_room(attempt, room, ask, count)
            if not count:
                return True
        if count == left:
            return False
    return not count


def _clear_room(attempt: Attempt, room: Room, ask: Ask, most: int) -> int:
    """How many places it gave, having stopped whom it takes for one."""
    victims = victims_on(attempt, room, ask)
    if victims is None:
        return 0
    for low in victims:
        attempt.stop(low)
    taken = 0
    while taken < most and ask.fits(attempt.fitting.later(room)):
        attempt.fitting.take(room, ask)
        taken += 1
    return taken


def _take_what_is_there(attempt: Attempt, ask: Ask, count: int, within: Sequence[Room] | None) -> int:
    """How many are still wanted then."""
    fitting, closed = attempt.fitting, attempt.closed
    while count:
        if within is None:
            room = fitting.find(ask, closed, soon=True)
        else:
            room = fitting.find_within(ask, within, closed, soon=True)
        if room is None:
            break
        fitting.take(room, ask)
        count -= 1
    return count
