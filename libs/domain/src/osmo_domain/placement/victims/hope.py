"""Could there be room at all? By arithmetic alone, which says no to most that is in vain."""

from bisect import insort
from collections.abc import Collection, Iterator, Sequence

from osmo_domain.placement.room import Ask, Kind, Room
from osmo_domain.placement.victims.attempt import Attempt


def has_hope(attempt: Attempt, rooms: Sequence[Room], ask: Ask, count: int, stoppable: Collection[str]) -> bool:
    """Whether there were room for so many here, could all who may be stopped be stopped at once."""
    for room in rooms:
        if max(room.entry[0], room.yields or 0) >= ask.gpu and attempt.open(room, ask):
            count -= ask.times_in(attempt.without_low(room, stoppable))
            if count <= 0:
                return True
    return False


def is_conceivable(attempt: Attempt, ask: Ask, count: int, within: Sequence[Room] | None) -> bool:
    """Every place needs so many GPUs that other pools hold; those with the smallest needs must not need more than others may be made to give."""
    if within is None and ask.gpu and sum(kind.most_yielded(ask.gpu) for kind in _kinds(attempt, ask)) < count:
        return False
    others = {pool for pool in attempt.stoppable() if pool != attempt.pool.name}
    budget = sum(attempt.most_from(pool) for pool in others)
    needs: list[int] = []
    for room in _yielders(attempt, ask) if within is None else within:
        own, lent = _gpus_of(attempt, room, others)
        if own + lent >= ask.gpu and own + budget >= ask.gpu and attempt.may_be_cleared(room, ask):
            for need in _needs(attempt, room, ask, count, own, others):
                insort(needs, need)
            del needs[count:]
            if len(needs) == count and sum(needs) <= budget:
                return True
    return False


def _yielders(attempt: Attempt, ask: Ask) -> Iterator[Room]:
    return (room for kind in _kinds(attempt, ask) for room in kind.yielders(ask.gpu))


def _kinds(attempt: Attempt, ask: Ask) -> Iterator[Kind]:
    return (kind for kind in ask.kinds if kind not in attempt.closed.kinds)


def _gpus_of(attempt: Attempt, room: Room, others: Collection[str]) -> tuple[int, int]:
    """How many would be free without own LOW work; and how many these others hold with theirs."""
    own: int = attempt.fitting.later(room)[0]
    lent = 0
    for pool, amounts in room.low_of.items():
        if pool == attempt.pool.name:
            own += amounts[0]
        elif pool in others:
            lent += amounts[0]
    return own, lent


def _needs(attempt: Attempt, room: Room, ask: Ask, count: int, own: int, others: Collection[str]) -> Iterator[int]:
    """For each place that the ask could have in this room: the GPUs that others must give up for it."""
    offered = attempt.without_low(room, {attempt.pool.name, *others})
    taken = 0
    for number in range(1, min(count, ask.times(*offered[:4])) + 1):
        needed = max(0, number * ask.gpu - own)
        yield needed - taken
        taken = needed
