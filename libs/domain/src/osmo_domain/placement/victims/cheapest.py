"""Which rooms cost least to clear, and who would have to go there."""

from collections.abc import Iterator, Sequence
from typing import Final

from osmo_domain.placement.low_work import Age, LowGroup
from osmo_domain.placement.room import Ask, Room
from osmo_domain.placement.victims.attempt import Attempt

SPARE_ROOMS: Final = 32
"""So many more rooms than needed are compared before the cheapest are taken; the youngest work is looked at first."""


def cheapest_rooms(attempt: Attempt, ask: Ask, count: int, within: Sequence[Room] | None) -> list[Room]:
    """Rooms that could be made to fit, those that cost least first. The rooms of the youngest work are compared; of a region, all."""
    found: list[tuple[int, float, int, str, Room]] = []
    everywhere = within is None and not attempt.own_first
    for room in within if within is not None else _rooms_by_age(attempt):
        victims = victims_on(attempt, room, ask) if attempt.may_be_cleared(room, ask) else None
        if victims:
            lost = sum(each.lost(attempt.now) for each in victims)
            found.append((_lent(attempt, victims), lost, len(victims), room.name, room))
            if everywhere and len(found) >= count + SPARE_ROOMS:
                break
    return [room for *_, room in sorted(found)]


def victims_on(attempt: Attempt, room: Room, ask: Ask) -> list[LowGroup] | None:
    """The youngest of this room without whom the ask fits; nobody who need not go; None where it would not fit at all."""
    stoppable = [pool for pool in room.low_of if attempt.may_stop(pool)]
    if not ask.fits(attempt.without_low(room, stoppable)):
        return None
    groups = {held.key: attempt.low.groups[held.key] for held in room.low.values() if held.pool in stoppable}
    entry, going = attempt.fitting.later(room), list[LowGroup]()
    for low in sorted(groups.values(), key=lambda low: _before(attempt, low)):
        if ask.fits(entry):
            break
        if attempt.may_stop(low.pool, beside=going):
            entry = low.leaves(entry, room.name)
            going.append(low)
    if not ask.fits(entry):
        return None
    for low in list(reversed(going)):
        without = low.stays(entry, room.name)
        if ask.fits(without):
            entry = without
            going.remove(low)
    return going


def _rooms_by_age(attempt: Attempt) -> Iterator[Room]:
    """Where the youngest work is first; each once."""
    seen: set[Room] = set()
    for low in attempt.low.youngest(attempt.pool.backend, attempt.stoppable()):
        for room in attempt.rooms_of(low):
            if room not in seen:
                seen.add(room)
                yield room


def _lent(attempt: Attempt, victims: Sequence[LowGroup]) -> int:
    """GPUs of other pools, where that comes first."""
    return sum(low.gpus for low in victims if low.pool != attempt.pool.name) if attempt.own_first else 0


def _before(attempt: Attempt, low: LowGroup) -> tuple[bool, Age]:
    return attempt.own_first and low.pool != attempt.pool.name, low.age
