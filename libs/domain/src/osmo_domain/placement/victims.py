"""Whom to stop so that a group that has a right to the room can start: the cheapest, or nobody where it would be in vain.

All candidates are LOW. Own LOW work of the pool may always be stopped; that of other pools only while its pool holds more than its
guarantee. Work lost decides, so the youngest goes first; then how many groups would be stopped. Who turns out not to be needed is spared.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from osmo_domain.pending import Victim
from osmo_domain.placement.gang import ZERO, Closed, Fitting, Gang
from osmo_domain.placement.low_work import LowGroup
from osmo_domain.placement.model import GroupKey, PendingGroup, Preemption
from osmo_domain.placement.room import Ask, Entry, Room
from osmo_domain.placement.usage import Usage, guaranteed
from osmo_domain.plan import Resources

if TYPE_CHECKING:
    from osmo_domain.placement.board import Board

SPARE_ROOMS: Final = 32
"""So many more rooms than needed are compared before the cheapest are taken; the youngest work is looked at first."""

SPARING_EFFORT: Final = 20_000
"""Victims times tasks up to which it is tried for each victim whether it can be spared."""

VICTIMS_NAMED: Final = 20


class Stopped(Struct):
    """The decision: who is stopped, as events will tell, and as the one who waits is told."""

    preemptions: list[Preemption]
    named: tuple[Victim, ...]
    nodes: tuple[str, ...]


class Preemptor:
    """For one round. Whoever is chosen counts as leaving from then on."""

    def __init__(self, board: "Board", fitting: Fitting, usage: Usage, now: datetime) -> None:
        self._board = board
        self._fitting = fitting
        self._usage = usage
        self._now = now
        self._stopped: dict[GroupKey, LowGroup] = {}

    def make_room(self, gang: Gang, group: PendingGroup, closed: Closed, excess: int) -> Stopped | None:
        """Stop what is needed so that the group can start, and take the places for it; None, and nothing changed, where that cannot be.

        `excess` GPUs must be given up by its own pool, whatever is free.
        """
        if not self._board.low.groups:
            return None
        attempt = _Attempt(self._board, self._fitting, self._usage, self._stopped, gang, closed, self._now)
        mark = self._fitting.mark()
        if not (attempt.below_maximum(excess) and attempt.clear() and attempt.spare(mark, excess)):
            self._fitting.undo(mark)
            attempt.call_off()
            return None
        why = f"{group.priority} work of pool {gang.pool.name} needs {gang.shape.gpus} GPUs within its guarantee."
        chosen = list(attempt.chosen.values())
        preemptions = [
            Preemption(*low.key, low.pool, low.gpus, group.key, why, round(low.lost(self._now), 3)) for low in chosen
        ]
        named = tuple(Victim(*low.key, low.gpus) for low in chosen[:VICTIMS_NAMED])
        return Stopped(preemptions, named, tuple(room.name for room in attempt.rooms))


class _Attempt:
    """The search for one group: `chosen` are those to be stopped for it, `rooms` its places then."""

    def __init__(
        self,
        board: "Board",
        fitting: Fitting,
        usage: Usage,
        stopped: dict[GroupKey, LowGroup],
        gang: Gang,
        closed: Closed,
        now: datetime,
    ) -> None:
        self.chosen: dict[GroupKey, LowGroup] = {}
        self.rooms: list[Room] = []
        self._board = board
        self._floor = board.floor
        self._fitting = fitting
        self._usage = usage
        self._stopped = stopped
        self._gang = gang
        self._pool = gang.pool
        self._closed = closed
        self._now = now
        self._guarantees: dict[str, int] = {}

    def below_maximum(self, excess: int) -> bool:
        """Own work goes, the youngest first, until the pool is below its maximum."""
        for low in self._candidates():
            if excess <= 0:
                break
            if low.pool == self._pool.name and low.gpus:
                self._stop(low)
                excess -= low.gpus
        return excess <= 0

    def clear(self) -> bool:
        """Stop work, room by room, until every task has a place."""
        if not self._gang.shape.topological:
            return all(self._clear_for(ask, count, None) for ask, count in self._gang.asks)
        for rooms in self._regions():
            before, mark = dict(self.chosen), self._fitting.mark()
            cleared = all(self._clear_for(ask, count, rooms) for ask, count in self._gang.asks)
            self._fitting.undo(mark)
            if cleared and self._place():
                return True
            for low in [low for key, low in self.chosen.items() if key not in before]:
                self._spare(low)
        return False

    def _place(self) -> bool:
        rooms = self._fitting.place(self._gang, self._closed, soon=True)
        self.rooms = rooms or []
        return rooms is not None

    def _regions(self) -> Iterator[frozenset[Room]]:
        """The domains of the coarsest level that is required; all rooms where none is."""
        wanted = {each.key for resources, _ in self._gang.shape.asks for each in resources.topology if each.required}
        label = next((level.label for level in self._pool.topology_keys if level.key in wanted), None)
        rooms = {room.name: room for ask, _ in self._gang.asks for room in self._floor.possible(ask)}
        by_value: dict[str, list[Room]] = {}
        for _, room in sorted(rooms.items()):
            value = "" if label is None else room.load.fact.labels.get(label)
            if value is not None:
                by_value.setdefault(value, []).append(room)
        return (frozenset(by_value[value]) for value in sorted(by_value))

    def _clear_for(self, ask: Ask, count: int, within: frozenset[Room] | None) -> bool:
        """Take `count` rooms for the ask, stopping whom it costs least."""
        count = self._take_what_is_there(ask, count, within)
        if count and not self._enough(ask, count, within):
            return False
        while count:
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
        return True

    def _take_what_is_there(self, ask: Ask, count: int, within: frozenset[Room] | None) -> int:
        while count:
            if within is None:
                room = self._fitting.find(ask, self._closed, soon=True)
            else:
                rooms = sorted(within, key=lambda each: each.name)
                room = self._fitting.find_within(ask, rooms, self._closed, soon=True)
            if room is None:
                break
            self._fitting.take(room, ask)
            count -= 1
        return count

    def _enough(self, ask: Ask, count: int, within: frozenset[Room] | None) -> bool:
        """Were all LOW work stopped: would there be room for so many? Cheap, and says no to most that is in vain."""
        for kind in ask.kinds:
            if kind in self._closed.kinds:
                continue
            for entry in kind.entries:
                room: Room = entry[5]
                if (room.low or room in self._fitting.soon) and self._open(room, ask, within):
                    count -= ask.times(*self._without_low(room)[:4])
                    if count <= 0:
                        return True
        return False

    def _without_low(self, room: Room) -> Entry:
        """What would be free, were all stopped here who may be."""
        gpu, cpu, memory, storage, name, _ = self._fitting.later(room)
        for held in room.low.values():
            if held.key not in self._stopped and self._may_stop(held.pool):
                asked = held.resources
                gpu, cpu = gpu + asked.gpu, cpu + asked.cpu
                memory, storage = memory + asked.memory_bytes, storage + asked.storage_bytes
        return (gpu, cpu, memory, storage, name, room)

    def _hopeless(self, room: Room, ask: Ask) -> bool:
        """The GPUs alone are too few, even without any LOW work. The quickest of all questions."""
        gpus: float = room.entry[0] + room.low_gpus
        return gpus < ask.gpu and gpus + self._fitting.soon.get(room, ZERO)[0] < ask.gpu

    def _open(self, room: Room, ask: Ask, within: frozenset[Room] | None) -> bool:
        if self._hopeless(room, ask):
            return False
        return ask.may_use(room) and room not in self._closed.rooms and (within is None or room in within)

    def _cheapest(self, ask: Ask, count: int, within: frozenset[Room] | None) -> list[Room]:
        """Rooms that could be made to fit, those that cost least first. The rooms of the youngest work are compared."""
        found: list[tuple[float, int, str, Room]] = []
        seen: set[Room] = set()
        for low in self._candidates():
            for room in self._rooms_of(low):
                if room in seen or not self._open(room, ask, within):
                    continue
                seen.add(room)
                victims = self._on_room(room, ask)
                if victims:
                    lost = sum(each.lost(self._now) for each in victims)
                    found.append((lost, len(victims), room.name, room))
            if len(found) >= count + SPARE_ROOMS:
                break
        return [room for _, _, _, room in sorted(found)]

    def _candidates(self) -> Iterator[LowGroup]:
        youngest = self._board.low.youngest(self._pool.backend)
        return (low for low in youngest if low.key not in self._stopped and self._may_stop(low.pool))

    def _may_stop(self, pool: str, beside: Sequence[LowGroup] = ()) -> bool:
        """Work of this pool, when what was chosen and these have been; the answer changes with every one."""
        if pool == self._pool.name:
            return True
        guarantee = self._guarantees.get(pool)
        if guarantee is None:
            guarantee = self._guarantees[pool] = guaranteed(self._floor, pool)
        return self._usage.total(pool) - sum(low.gpus for low in beside if low.pool == pool) > guarantee

    def _rooms_of(self, low: LowGroup) -> list[Room]:
        rooms = self._floor.rooms
        return [room for node in low.nodes if (room := rooms.get((low.backend, node))) is not None]

    def _on_room(self, room: Room, ask: Ask) -> list[LowGroup] | None:
        """The youngest of this room without whom the ask fits; nobody who need not go; None where it would not fit at all."""
        if not ask.fits(self._without_low(room)):
            return None
        groups = {held.key: self._board.low.groups[held.key] for held in room.low.values()}
        young = sorted(
            (low for key, low in groups.items() if key not in self._stopped and self._may_stop(low.pool)),
            key=lambda low: low.age,
        )
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

    def _stop(self, low: LowGroup) -> None:
        self._move(low, 1)
        self.chosen[low.key] = self._stopped[low.key] = low

    def _spare(self, low: LowGroup) -> None:
        self._move(low, -1)
        del self.chosen[low.key], self._stopped[low.key]

    def _move(self, low: LowGroup, sign: int) -> None:
        self._usage.add(low.pool, -sign * low.gpus, low=True)
        for held in low.held.values():
            room = self._floor.rooms.get((held.backend, held.node))
            if room is not None:
                self._fitting.clear(room, held.resources, sign)

    def call_off(self) -> None:
        for low in list(self.chosen.values()):
            self._spare(low)

    def spare(self, mark: int, excess: int) -> bool:
        """Let go whoever is not needed after all, the dearest first, and take the places for good. False where what was cleared room by room does
        not take the gang as it will be placed."""
        self._fitting.undo(mark)
        if not self._place():
            return False
        if len(self.chosen) * self._gang.shape.tasks <= SPARING_EFFORT:
            for low in sorted(self.chosen.values(), key=lambda low: (-low.lost(self._now), low.key)):
                self._spare_one(low, mark, excess)
        return True

    def _spare_one(self, low: LowGroup, mark: int, excess: int) -> None:
        own = sum(each.gpus for each in self.chosen.values() if each.pool == self._pool.name and each is not low)
        if own < excess:
            return
        self._fitting.undo(mark)
        self._spare(low)
        if not self._place():
            self._stop(low)
            self._place()


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
