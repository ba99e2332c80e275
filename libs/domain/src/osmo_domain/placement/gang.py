"""Placing a gang: a room for every task, or none taken."""

from collections.abc import Iterator, Sequence
from typing import Final

from osmo_domain.placement.floor import Floor
from osmo_domain.placement.room import Amounts, Ask, Entry, Kind, Room
from osmo_domain.placement.shape import Shape
from osmo_domain.placement.soon import Soon
from osmo_domain.placement.topology import Branch, domains, topology_of
from osmo_domain.placement.usage import firm_limit, quota_of
from osmo_domain.pool import Pool


class Gang:
    """A shape in its pool, on the floor as it is in one version. `could_ever`, `closed` and `regions` are what the functions of these names
    have found out, None before."""

    __slots__ = ("_rooms", "asks", "closed", "could_ever", "firm_limit", "maximum", "pool", "regions", "shape")

    def __init__(self, floor: Floor, pool: Pool, shape: Shape) -> None:
        self.pool = pool
        self.shape = shape
        self.asks = [(floor.ask(pool, resources), count) for resources, count in shape.asks]
        self.firm_limit = firm_limit(pool)
        self.maximum = quota_of(pool).maximum
        self.could_ever: bool | None = None
        self.closed: Closed | None = None
        self.regions: list[list[Room]] | None = None
        self._rooms: list[Room] | None = None

    @property
    def of_equals(self) -> bool:
        """Whether it is only about how many such tasks have room: then counting answers, and nothing has to be tried."""
        return len(self.asks) == 1 and not self.shape.topological

    def each(self) -> list[Ask]:
        """One for each task."""
        return [ask for ask, count in self.asks for _ in range(count)]

    def all_rooms(self) -> list[Room]:
        """Of the kinds that any of its tasks may use, by name."""
        if self._rooms is None:
            kinds = dict.fromkeys(kind for ask, _ in self.asks for kind in ask.kinds)
            rooms = (entry[5] for kind in kinds for entry in kind.entries)
            self._rooms = sorted(rooms, key=lambda room: str(room.name))
        return self._rooms


class Closed:
    """What is kept for a group ahead: rooms, and all rooms of `kinds`."""

    __slots__ = ("kinds", "rooms")

    def __init__(self, rooms: frozenset[Room], kinds: frozenset[Kind]) -> None:
        self.rooms = rooms
        self.kinds = kinds

    def has(self, room: Room) -> bool:
        return room in self.rooms or room.kind in self.kinds

    def joined(self, other: "Closed") -> "Closed":
        return Closed(self.rooms | other.rooms, self.kinds | other.kinds)


OPEN: Final = Closed(frozenset(), frozenset())


def closed_for(floor: Floor, gang: Gang) -> Closed:
    """Every room that any of its tasks could use, were it empty."""
    if gang.closed is None:
        gang.closed = _closed_for(floor, gang)
    return gang.closed


def _closed_for(floor: Floor, gang: Gang) -> Closed:
    kinds = frozenset(kind for ask, _ in gang.asks for kind in ask.kinds if kind.all_could_take(ask))
    rooms = {room for ask, _ in gang.asks if not kinds.issuperset(ask.kinds) for room in floor.possible(ask)}
    return Closed(frozenset(room for room in rooms if room.kind not in kinds), kinds)


class Fitting:
    """What is taken during one round, and given back at its end. `soon` is what becomes free when those who leave are gone.

    Rooms are taken at once, also where they are only free soon: whoever comes later sees them as less than empty.
    """

    def __init__(self, soon: dict[Room, Amounts]) -> None:
        self.soon = Soon(soon)
        self._before: list[tuple[Room, Entry]] = []

    def mark(self) -> int:
        return len(self._before)

    def undo(self, mark: int) -> None:
        """Give back all that was taken since the mark."""
        while len(self._before) > mark:
            room, entry = self._before.pop()
            room.move(entry)
            self.soon.moved(room)

    def take(self, room: Room, ask: Ask) -> None:
        self._before.append((room, room.entry))
        room.move(ask.taken_from(room.entry))
        self.soon.moved(room)

    def empty(self, room: Room) -> None:
        """As if none of our work were there."""
        self._before.append((room, room.entry))
        room.move(room.empty)

    def later(self, room: Room) -> Entry:
        """What is free in the room when those who leave are gone."""
        return self.soon.later(room)

    def place(self, gang: Gang, closed: Closed = OPEN, *, soon: bool = False) -> list[Room] | None:
        """A room for each task of the gang, in its order. Takes them all, or nothing. With `soon` also rooms that are being cleared."""
        mark = self.mark()
        if gang.shape.topological:
            if any(self.places(ask, closed, soon=soon, most=count) < count for ask, count in gang.asks):
                return None
            rooms = _Topological(self, gang, closed, soon=soon).settle(topology_of(gang.each(), gang.pool))
        else:
            rooms = self._each(gang, closed, soon=soon)
        if rooms is None:
            self.undo(mark)
        return rooms

    def _each(self, gang: Gang, closed: Closed, *, soon: bool) -> list[Room] | None:
        rooms = []
        for ask, count in gang.asks:
            if count > 1 and self.places(ask, closed, soon=soon, most=count) < count:
                return None
            for _ in range(count):
                room = self.find(ask, closed, soon=soon)
                if room is None:
                    return None
                self.take(room, ask)
                rooms.append(room)
        return rooms

    def place_at(self, gang: Gang, floor: Floor, nodes: Sequence[str], *, soon: bool) -> list[Room] | None:
        """These nodes, one for each task, or nothing."""
        mark, rooms = self.mark(), list[Room]()
        for ask, node in zip(gang.each(), nodes, strict=True):
            room = floor.rooms.get((gang.pool.backend, node))
            if room is None or not ask.may_use(room) or not ask.fits(self.later(room) if soon else room.entry):
                self.undo(mark)
                return None
            self.take(room, ask)
            rooms.append(room)
        return rooms

    def fits(self, gang: Gang) -> bool:
        """Could it be placed now? Takes nothing."""
        if gang.of_equals:
            ((ask, count),) = gang.asks
            return self.places(ask, OPEN, soon=False, most=count) >= count
        mark = self.mark()
        rooms = self.place(gang)
        self.undo(mark)
        return rooms is not None

    def places(self, ask: Ask, closed: Closed, *, soon: bool, most: int) -> int:
        """How many such tasks have room at once, counted up to `most`."""
        found = 0
        for entry in self._open(ask, closed, soon=soon):
            found += ask.times(*entry[:4])
            if found >= most:
                return most
        return found

    def _open(self, ask: Ask, closed: Closed, *, soon: bool) -> Iterator[Entry]:
        """Every room where it fits, each once; with `soon` as it will be."""
        for kind in ask.kinds:
            if kind in closed.kinds:
                continue
            for entry in kind.all_that_fit(ask):
                if entry[5] not in closed.rooms:
                    yield self.later(entry[5]) if soon else entry
            for entry in self.soon.that_fit(ask, kind) if soon else ():
                if entry[5] not in closed.rooms and not ask.fits(entry[5].entry):
                    yield entry

    def find(self, ask: Ask, closed: Closed, *, soon: bool = False) -> Room | None:
        """The tightest room that fits; only where there is none, and `soon` says so, one that will."""
        best: Entry | None = None
        for kind in ask.kinds:
            if kind in closed.kinds:
                continue
            entry = kind.first(ask)
            if entry is not None and entry[5] in closed.rooms:
                entry = next((each for each in kind.all_that_fit(ask) if each[5] not in closed.rooms), None)
            if entry is not None and (best is None or entry < best):
                best = entry
        if best is None and soon and len(self.soon):
            best = min(self._soonest(ask, closed), default=None)
        return None if best is None else best[5]

    def _soonest(self, ask: Ask, closed: Closed) -> Iterator[Entry]:
        """Of each kind, the tightest room where it will fit."""
        for kind in ask.kinds:
            if kind in closed.kinds:
                continue
            entry = next((each for each in self.soon.that_fit(ask, kind) if each[5] not in closed.rooms), None)
            if entry is not None:
                yield entry

    def may_help(self, gang: Gang, closed: Closed) -> bool:
        """Could any of its tasks go where somebody leaves? Without that, what is free soon changes nothing."""
        return len(self.soon) > 0 and any(True for ask, _ in gang.asks for _ in self._soonest(ask, closed))

    def find_within(self, ask: Ask, rooms: Sequence[Room], closed: Closed, *, soon: bool) -> Room | None:
        """As `find`, among these rooms only."""
        usable = [room for room in rooms if ask.may_use(room) and not closed.has(room)]
        best = min((room.entry for room in usable if ask.fits(room.entry)), default=None)
        if best is None and soon:
            best = min((entry for room in usable if ask.fits(entry := self.later(room))), default=None)
        return None if best is None else best[5]


class _Topological:
    """Places the tasks of a gang branch by branch: each branch in one domain of its level, tried from the tightest."""

    def __init__(self, fitting: Fitting, gang: Gang, closed: Closed, *, soon: bool) -> None:
        self._fitting = fitting
        self._asks = gang.each()
        self._rooms = gang.all_rooms()
        self._closed = closed
        self._soon = soon
        self._chosen: dict[int, Room] = {}

    def settle(self, root: Branch) -> list[Room] | None:
        if not self._inside(root, self._rooms):
            return None
        return [self._chosen[number] for number in range(len(self._asks))]

    def _branch(self, branch: Branch, rooms: Sequence[Room]) -> bool:
        needed = sum(self._asks[number].gpu for number in branch.all())
        for domain in domains(rooms, branch.label, needed, self._free_gpus):
            mark = self._fitting.mark()
            if self._inside(branch, domain):
                return True
            self._fitting.undo(mark)
        return not branch.required and self._inside(branch, rooms)

    def _free_gpus(self, room: Room) -> int:
        free: int = (self._fitting.later(room) if self._soon else room.entry)[0]
        return max(0, free)

    def _inside(self, branch: Branch, rooms: Sequence[Room]) -> bool:
        return all(self._branch(below, rooms) for below in branch.branches()) and all(
            self._task(number, rooms) for number in branch.tasks
        )

    def _task(self, number: int, rooms: Sequence[Room]) -> bool:
        ask = self._asks[number]
        room = self._fitting.find_within(ask, rooms, self._closed, soon=self._soon)
        if room is None:
            return False
        self._fitting.take(room, ask)
        self._chosen[number] = room
        return True


def could_ever(floor: Floor, gang: Gang) -> bool:
    """Would the gang fit, were there none of our work at all?"""
    if gang.could_ever is None:
        gang.could_ever = _could_ever(floor, gang)
    return gang.could_ever


def _could_ever(floor: Floor, gang: Gang) -> bool:
    if len(gang.asks) == 1 and not gang.shape.topological:
        ask, needed = gang.asks[0]
        for room in floor.possible(ask):
            needed -= ask.times(*room.empty[:4])
            if needed <= 0:
                return True
        return False
    fitting = Fitting({})
    emptied = sorted({room.name: room for ask, _ in gang.asks for room in floor.possible(ask)}.items())
    for _, room in emptied:
        fitting.empty(room)
    try:
        return fitting.place(gang) is not None
    finally:
        fitting.undo(0)
