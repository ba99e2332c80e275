"""Whom to stop so that a group that has a right to the room can start: the cheapest, or nobody where it would be in vain.

All candidates are LOW. Own LOW work of the pool may always be stopped; that of other pools only while its pool holds more than its
guarantee. Work lost decides, so the youngest goes first; then how many groups would be stopped. Who turns out not to be needed is spared.
"""

from bisect import insort
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from osmo_domain.pending import Victim
from osmo_domain.placement.floor import Floor
from osmo_domain.placement.gang import Closed, Fitting, Gang
from osmo_domain.placement.low_work import Age, LowGroup
from osmo_domain.placement.model import GroupKey, Held, PendingGroup, Preemption
from osmo_domain.placement.room import Ask, Entry, Kind, Room
from osmo_domain.placement.usage import Usage, guaranteed
from osmo_domain.plan import Resources

if TYPE_CHECKING:
    from osmo_domain.placement.board import Board

SPARE_ROOMS: Final = 32
"""So many more rooms than needed are compared before the cheapest are taken; the youngest work is looked at first."""

SPARING_EFFORT: Final = 20_000
"""Victims times tasks of a mixed gang up to which it is tried for each victim whether it can be spared; equals are counted, which costs little."""

VICTIMS_NAMED: Final = 20


class Stopped(Struct):
    """The decision: who is stopped, as events will tell, and as the one who waits is told."""

    preemptions: list[Preemption]
    named: tuple[Victim, ...]
    nodes: tuple[str, ...]


class Preemptor:
    """For one round. Whoever is chosen counts as leaving from then on, until `restore` at its end."""

    def __init__(self, board: "Board", fitting: Fitting, usage: Usage, now: datetime) -> None:
        self._stage = _Stage(board, fitting, usage)
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

    def _succeed(self, gang: Gang, closed: Closed, excess: int) -> "_Attempt | None":
        """The cheapest victims; where those of other pools would have to give too much, own work before theirs."""
        mark = self._fitting.mark()
        for own_first in (False, True):
            attempt = _Attempt(self._board, self._fitting, self._stage, gang, closed, self._now, own_first=own_first)
            if attempt.below_maximum(excess) and attempt.clear() and attempt.spare(mark, excess):
                return attempt
            self._fitting.undo(mark)
            if not attempt.call_off():
                break
        return None


class _Stage:
    """Who has been stopped in this round, and what that makes of usage, rooms and candidates."""

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


class _Attempt:
    """The search for one group: `chosen` are those to be stopped for it, `rooms` its places then."""

    def __init__(
        self,
        board: "Board",
        fitting: Fitting,
        stage: _Stage,
        gang: Gang,
        closed: Closed,
        now: datetime,
        *,
        own_first: bool,
    ) -> None:
        self.chosen: dict[GroupKey, LowGroup] = {}
        self.rooms: list[Room] = []
        self._low = board.low
        self._floor = board.floor
        self._fitting = fitting
        self._stage = stage
        self._gang = gang
        self._pool = gang.pool
        self._closed = closed
        self._now = now
        self._own_first = own_first

    def below_maximum(self, excess: int) -> bool:
        """Own work goes, the youngest first, until the pool is below its maximum."""
        own = self._low.youngest(self._pool.backend, [self._pool.name]) if excess > 0 else ()
        for low in list(own):
            if excess <= 0:
                break
            if low.gpus:
                self._stop(low)
                excess -= low.gpus
        return excess <= 0

    def clear(self) -> bool:
        """Stop work, room by room, until every task has a place."""
        if not self._gang.shape.topological:
            return all(self._clear_for(ask, count, None) for ask, count in self._gang.asks)
        stoppable = self._stoppable()
        for rooms in regions(self._floor, self._gang):
            if not all(self._has_hope(rooms, ask, count, stoppable) for ask, count in self._gang.asks):
                continue
            before, mark = dict(self.chosen), self._fitting.mark()
            cleared = all(self._clear_for(ask, count, rooms) for ask, count in self._gang.asks)
            self._fitting.undo(mark)
            if cleared and self._place():
                return True
            for low in [low for key, low in self.chosen.items() if key not in before]:
                self._spare(low)
        return False

    def _has_hope(self, rooms: Sequence[Room], ask: Ask, count: int, stoppable: Collection[str]) -> bool:
        """Whether there were room for so many, could all who may be stopped be stopped at once."""
        for room in rooms:
            if max(room.entry[0], room.yields or 0) >= ask.gpu and self._open(room, ask):
                count -= _times(ask, self._without_low(room, stoppable))
                if count <= 0:
                    return True
        return False

    def _place(self) -> bool:
        rooms = self._fitting.place(self._gang, self._closed, soon=True)
        self.rooms = rooms or []
        return rooms is not None

    def _clear_for(self, ask: Ask, count: int, within: Sequence[Room] | None) -> bool:
        """Take `count` rooms for the ask, stopping whom it costs least."""
        count = self._take_what_is_there(ask, count, within)
        while count and self._conceivable(ask, count, within):
            rooms = self._cheapest(ask, count, within)
            left = count
            for room in rooms:
                victims = self._on_room(room, ask)
                if victims is None:
                    continue
                for low in victims:
                    self._stop(low)
                while count and ask.fits(self._fitting.later(room)):
                    self._fitting.take(room, ask)
                    count -= 1
                if not count:
                    return True
            if count == left:
                return False
        return not count

    def _take_what_is_there(self, ask: Ask, count: int, within: Sequence[Room] | None) -> int:
        while count:
            if within is None:
                room = self._fitting.find(ask, self._closed, soon=True)
            else:
                room = self._fitting.find_within(ask, within, self._closed, soon=True)
            if room is None:
                break
            self._fitting.take(room, ask)
            count -= 1
        return count

    def _conceivable(self, ask: Ask, count: int, within: Sequence[Room] | None) -> bool:
        """Could there be room for so many? By arithmetic alone, which says no to most that is in vain.

        Every place needs so many GPUs that other pools hold; those with the smallest needs must not need more than others may be made to give.
        """
        if within is None and ask.gpu and sum(kind.most_yielded(ask.gpu) for kind in self._kinds(ask)) < count:
            return False
        others = {pool for pool in self._stoppable() if pool != self._pool.name}
        budget = sum(self._most_from(pool) for pool in others)
        needs: list[int] = []
        for room in self._yielders(ask) if within is None else within:
            own, lent = self._gpus_of(room, others)
            if own + lent >= ask.gpu and own + budget >= ask.gpu and self._may_be_cleared(room, ask):
                for need in self._needs(room, ask, count, own, others):
                    insort(needs, need)
                del needs[count:]
                if len(needs) == count and sum(needs) <= budget:
                    return True
        return False

    def _yielders(self, ask: Ask) -> Iterator[Room]:
        return (room for kind in self._kinds(ask) for room in kind.yielders(ask.gpu))

    def _kinds(self, ask: Ask) -> Iterator[Kind]:
        return (kind for kind in ask.kinds if kind not in self._closed.kinds)

    def _gpus_of(self, room: Room, others: Collection[str]) -> tuple[int, int]:
        """How many would be free without own LOW work; and how many these others hold with theirs."""
        own: int = self._fitting.later(room)[0]
        lent = 0
        for pool, amounts in room.low_of.items():
            if pool == self._pool.name:
                own += amounts[0]
            elif pool in others:
                lent += amounts[0]
        return own, lent

    def _needs(self, room: Room, ask: Ask, count: int, own: int, others: Collection[str]) -> Iterator[int]:
        """For each place that the ask could have in this room: the GPUs that others must give up for it."""
        offered = self._without_low(room, {self._pool.name, *others})
        taken = 0
        for number in range(1, min(count, ask.times(*offered[:4])) + 1):
            needed = max(0, number * ask.gpu - own)
            yield needed - taken
            taken = needed

    def _most_from(self, pool: str) -> int:
        """More GPUs cannot be got from another pool: with the last group that is stopped it falls below its guarantee, no further."""
        return max(0, self._stage.beyond(pool) - 1 + self._low.largest(self._pool.backend, pool))

    def _without_low(self, room: Room, stoppable: Collection[str]) -> Entry:
        """What would be free, were all stopped here who may be."""
        entry = self._fitting.later(room)
        for pool, (gpu, cpu, memory, storage) in room.low_of.items():
            if pool in stoppable:
                entry = (entry[0] + gpu, entry[1] + cpu, entry[2] + memory, entry[3] + storage, room.name, room)
        return entry

    def _may_be_cleared(self, room: Room, ask: Ask) -> bool:
        return room.yields is not None and room.yields >= ask.gpu and self._open(room, ask)

    def _open(self, room: Room, ask: Ask) -> bool:
        return ask.may_use(room) and not self._closed.has(room)

    def _cheapest(self, ask: Ask, count: int, within: Sequence[Room] | None) -> list[Room]:
        """Rooms that could be made to fit, those that cost least first. The rooms of the youngest work are compared; of a region, all."""
        found: list[tuple[int, float, int, str, Room]] = []
        everywhere = within is None and not self._own_first
        for room in within if within is not None else self._rooms_by_age():
            victims = self._on_room(room, ask) if self._may_be_cleared(room, ask) else None
            if victims:
                lost = sum(each.lost(self._now) for each in victims)
                found.append((self._lent(victims), lost, len(victims), room.name, room))
                if everywhere and len(found) >= count + SPARE_ROOMS:
                    break
        return [room for *_, room in sorted(found)]

    def _rooms_by_age(self) -> Iterator[Room]:
        """Where the youngest work is first; each once."""
        seen: set[Room] = set()
        for low in self._low.youngest(self._pool.backend, self._stoppable()):
            for room in self._rooms_of(low):
                if room not in seen:
                    seen.add(room)
                    yield room

    def _lent(self, victims: Sequence[LowGroup]) -> int:
        """GPUs of other pools, where that comes first."""
        return sum(low.gpus for low in victims if low.pool != self._pool.name) if self._own_first else 0

    def _stoppable(self) -> list[str]:
        """Pools whose LOW work may be stopped now; the answer changes with every one that is."""
        return [pool for pool in self._low.pools(self._pool.backend) if self._may_stop(pool)]

    def _may_stop(self, pool: str, beside: Sequence[LowGroup] = ()) -> bool:
        """Work of this pool, when what was chosen and these have been."""
        if pool == self._pool.name:
            return True
        return self._stage.beyond(pool) > sum(low.gpus for low in beside if low.pool == pool)

    def _rooms_of(self, low: LowGroup) -> list[Room]:
        rooms = self._floor.rooms
        return [room for node in low.nodes if (room := rooms.get((low.backend, node))) is not None]

    def _on_room(self, room: Room, ask: Ask) -> list[LowGroup] | None:
        """The youngest of this room without whom the ask fits; nobody who need not go; None where it would not fit at all."""
        stoppable = [pool for pool in room.low_of if self._may_stop(pool)]
        if not ask.fits(self._without_low(room, stoppable)):
            return None
        groups = {held.key: self._low.groups[held.key] for held in room.low.values() if held.pool in stoppable}
        young = sorted(groups.values(), key=self._before)
        entry, going = self._fitting.later(room), list[LowGroup]()
        for low in young:
            if ask.fits(entry):
                break
            if self._may_stop(low.pool, beside=going):
                entry = _freed(entry, low, room.name, 1)
                going.append(low)
        if not ask.fits(entry):
            return None
        for low in list(reversed(going)):
            without = _freed(entry, low, room.name, -1)
            if ask.fits(without):
                entry = without
                going.remove(low)
        return going

    def _before(self, low: LowGroup) -> tuple[bool, Age]:
        return self._own_first and low.pool != self._pool.name, low.age

    def _stop(self, low: LowGroup) -> None:
        self._stage.stop(low)
        self.chosen[low.key] = low

    def _spare(self, low: LowGroup) -> None:
        self._stage.spare(low)
        del self.chosen[low.key]

    def call_off(self) -> bool:
        """Stop nobody. True where others had been chosen, so that it might go better with own work first."""
        lent = any(low.pool != self._pool.name for low in self.chosen.values())
        for low in list(self.chosen.values()):
            self._spare(low)
        return lent

    def spare(self, mark: int, excess: int) -> bool:
        """Let go whoever is not needed after all, the dearest first, and take the places for good. False where what was cleared room by room does
        not take the gang as it will be placed."""
        self._fitting.undo(mark)
        if not self._place():
            return False
        dearest = sorted(self.chosen.values(), key=lambda low: (-low.lost(self._now), low.key))
        if self._gang.of_equals:
            self._fitting.undo(mark)
            self._spare_by_count(dearest, excess)
            self._place()
        elif len(dearest) * self._gang.shape.tasks <= SPARING_EFFORT:
            self._spare_by_trying(dearest, mark, excess)
        return True

    def _may_be_spared(self, low: LowGroup, excess: int) -> bool:
        """As far as the maximum of the pool says."""
        if excess <= 0 or low.pool != self._pool.name:
            return True
        return sum(each.gpus for each in self.chosen.values() if each.pool == low.pool) - low.gpus >= excess

    def _spare_by_count(self, dearest: Sequence[LowGroup], excess: int) -> None:
        ((ask, count),) = self._gang.asks
        places = {low.key: self._places_of(low, ask) for low in dearest}
        most = count + sum(places.values())
        over = self._fitting.places(ask, self._closed, soon=True, most=most) - count
        for low in dearest:
            lost = self._places_of(low, ask)
            if lost <= over and self._may_be_spared(low, excess):
                self._spare(low)
                over -= lost

    def _places_of(self, low: LowGroup, ask: Ask) -> int:
        """How many fewer there would be, did it stay."""
        fewer = 0
        for room in self._rooms_of(low):
            if self._open(room, ask):
                later = self._fitting.later(room)
                fewer += _times(ask, later) - _times(ask, _freed(later, low, room.name, -1))
        return fewer

    def _spare_by_trying(self, dearest: Sequence[LowGroup], mark: int, excess: int) -> None:
        for low in dearest:
            if self._may_be_spared(low, excess):
                self._fitting.undo(mark)
                self._spare(low)
                if not self._place():
                    self._stop(low)
        self._fitting.undo(mark)
        self._place()


def regions(floor: Floor, gang: Gang) -> list[list[Room]]:
    """The domains of the coarsest level that is required, or all rooms where none is, as one."""
    if gang.regions is None:
        gang.regions = _regions(floor, gang)
    return gang.regions


def _regions(floor: Floor, gang: Gang) -> list[list[Room]]:
    wanted = {each.key for resources, _ in gang.shape.asks for each in resources.topology if each.required}
    label = next((level.label for level in gang.pool.topology_keys if level.key in wanted), None)
    rooms = {room.name: room for ask, _ in gang.asks for room in floor.possible(ask)}
    by_value: dict[str, list[Room]] = {}
    for _, room in sorted(rooms.items()):
        value = "" if label is None else room.load.fact.labels.get(label)
        if value is not None:
            by_value.setdefault(value, []).append(room)
    return [by_value[value] for value in sorted(by_value)]


def _times(ask: Ask, entry: Entry) -> int:
    return ask.times(*entry[:4]) if ask.fits(entry) else 0


def _freed(entry: Entry, low: LowGroup, node: str, sign: int) -> Entry:
    for held in low.held.values():
        if held.node == node:
            entry = _plus(entry, held.resources, sign)
    return entry


def _plus(entry: Entry, resources: Resources, sign: int = 1) -> Entry:
    return (
        entry[0] + sign * resources.gpu,
        entry[1] + sign * resources.cpu,
        entry[2] + sign * resources.memory_bytes,
        entry[3] + sign * resources.storage_bytes,
        entry[4],
        entry[5],
    )
