"""Nodes as room: what is free on each, sorted so that the tightest fit is found without looking at the others.

Nodes that no platform tells apart, with the same number of GPUs, are of one `Kind`. A kind keeps its rooms sorted by what is free, GPUs first,
and keeps a list of rooms that moved: who looked before (an `Ask`) looks only at those, and from where he stopped.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, Final

from osmo_domain.cluster import NodeFact
from osmo_domain.node_fit import NodeLoad
from osmo_domain.placement.model import Held, PodKey
from osmo_domain.plan import Resources

Entry = tuple[Any, ...]
"""GPUs, CPUs, memory and storage that are free, the name, and the room. The name makes the order total: rooms are never compared."""

Amounts = tuple[int, int, int, int]
"""GPUs, CPUs, memory and storage."""

ZERO: Final[Amounts] = (0, 0, 0, 0)

NOTHING: Final[Entry] = ()
BEYOND: Final[Entry] = (float("inf"),)

MOVES_WORTH_READING: Final = 64

MANY: Final = 1 << 20


class Room:
    """One node during and between rounds. `low` is the LOW work on it that could be stopped, `low_of` what each pool holds with it.

    `empty` is what would be free without any work of ours, as its kind has it, and `fact` what the node was then. `yields` is how many GPUs would be free without that and those who leave; None where there are neither.
    """

    __slots__ = ("backend", "empty", "entry", "fact", "kind", "load", "low", "low_of", "name", "yields")

    def __init__(self, backend: str, load: NodeLoad) -> None:
        self.backend = backend
        self.name = load.fact.name
        self.load = load
        self.kind: Kind | None = None
        self.low: dict[PodKey, Held] = {}
        self.low_of: dict[str, Amounts] = {}
        self.yields: int | None = None
        self.entry = self.as_it_is()
        self.note_fact()

    def note_fact(self) -> None:
        self.fact = self.load.fact
        self.empty: Entry = (*whole(self), self.name, self)

    def as_it_is(self) -> Entry:
        """What is neither promised nor used by others."""
        gpu, cpu, memory, storage = whole(self)
        load = self.load
        return (
            gpu - load.promised_gpu,
            cpu - load.promised_cpu,
            memory - load.promised_memory_bytes,
            storage - load.promised_storage_bytes,
            load.fact.name,
            self,
        )

    def add_low(self, held: Held) -> None:
        self.low[held.pod] = held
        self._count_low(held, 1)

    def drop_low(self, pod: PodKey) -> None:
        held = self.low.pop(pod, None)
        if held is not None:
            self._count_low(held, -1)

    def _count_low(self, held: Held, sign: int) -> None:
        counted = plus(self.low_of.get(held.pool, ZERO), held.resources, sign)
        if counted == ZERO:
            self.low_of.pop(held.pool, None)
        else:
            self.low_of[held.pool] = counted

    @property
    def leaving(self) -> Amounts:
        """What becomes free without anybody's doing."""
        load = self.load
        return load.leaving_gpu, load.leaving_cpu, load.leaving_memory_bytes, load.leaving_storage_bytes

    def refresh(self) -> None:
        """The load, or the LOW work, has changed."""
        entry = self.as_it_is()
        if entry != self.entry:
            self.move(entry)
        leaving = self.leaving
        yields = None
        if self.low_of or leaving != ZERO:
            yields = entry[0] + leaving[0] + sum(amounts[0] for amounts in self.low_of.values())
        if yields != self.yields:
            self._yield(yields)

    def _yield(self, yields: int | None) -> None:
        if self.kind is None:
            self.yields = yields
        else:
            self.kind.yield_more(self, yields)

    def move(self, entry: Entry) -> None:
        if self.kind is None:
            self.entry = entry
        else:
            self.kind.move(self, entry)


def whole(room: Room) -> tuple[int, float, int, int]:
    """What of the node is ours: all of it but what others use."""
    fact = room.load.fact
    return (
        fact.gpu - fact.used_gpu,
        fact.cpu - fact.used_cpu,
        fact.memory_bytes - fact.used_memory_bytes,
        fact.storage_bytes - fact.used_storage_bytes,
    )


def plus(amounts: Amounts, resources: Resources, sign: int = 1) -> Amounts:
    return (
        amounts[0] + sign * resources.gpu,
        amounts[1] + sign * resources.cpu,
        amounts[2] + sign * resources.memory_bytes,
        amounts[3] + sign * resources.storage_bytes,
    )


class Ask:
    """What one task asks of a node, and what is known of where it could go. `kinds` are those of its platform."""

    __slots__ = ("cpu", "cursors", "excluded", "gpu", "kinds", "memory", "resources", "storage")

    def __init__(self, resources: Resources, kinds: "tuple[Kind, ...]") -> None:
        self.resources = resources
        self.gpu = resources.gpu
        self.cpu = resources.cpu
        self.memory = resources.memory_bytes
        self.storage = resources.storage_bytes
        self.excluded = frozenset(resources.nodes_excluded)
        self.kinds = kinds
        self.cursors: dict[Kind, Cursor] = {}

    def fits(self, entry: Entry) -> bool:
        """What is not asked for may be short."""
        return (
            (not self.gpu or self.gpu <= entry[0])
            and (not self.cpu or self.cpu <= entry[1])
            and (not self.memory or self.memory <= entry[2])
            and (not self.storage or self.storage <= entry[3])
            and (not self.excluded or entry[4] not in self.excluded)
        )

    def may_use(self, room: Room) -> bool:
        """As far as labels, taints and exclusions say."""
        return room.kind in self.kinds and room.name not in self.excluded

    def taken_from(self, entry: Entry) -> Entry:
        return (
            entry[0] - self.gpu,
            entry[1] - self.cpu,
            entry[2] - self.memory,
            entry[3] - self.storage,
            entry[4],
            entry[5],
        )

    def times_in(self, entry: Entry) -> int:
        """How many such tasks fit there."""
        return self.times(*entry[:4]) if self.fits(entry) else 0

    def times(self, gpu: float, cpu: float, memory: float, storage: float) -> int:
        """How many such tasks fit into this much; many for one that asks for nothing."""
        most: float = MANY
        if self.gpu:
            most = min(most, gpu // self.gpu)
        if self.cpu:
            most = min(most, cpu // self.cpu)
        if self.memory:
            most = min(most, memory // self.memory)
        if self.storage:
            most = min(most, storage // self.storage)
        return max(0, int(most))


class Cursor:
    """No room before `key` fits, but perhaps those that moved after `seen`."""

    __slots__ = ("key", "seen")

    def __init__(self) -> None:
        self.key: Entry = NOTHING
        self.seen = 0


class Kind:
    """Nodes of one backend that are alike to every platform; `sample` is one of them. `wholes` are the rooms as they would be empty, sorted.

    `yielding` are the rooms that would have more than they have without LOW work and those who leave: (that many GPUs, name, room), sorted.
    """

    __slots__ = ("_forgotten", "_least", "_moved", "entries", "sample", "wholes", "yielding")

    def __init__(self, sample: NodeFact) -> None:
        self.sample = sample
        self.entries: list[Entry] = []
        self.wholes: list[Entry] = []
        self._least: Entry | None = None
        self.yielding: list[tuple[int, str, Room]] = []
        self._moved: list[Room] = []
        self._forgotten = 0

    def add(self, room: Room) -> None:
        room.kind = self
        insort(self.entries, room.entry)
        insort(self.wholes, room.empty)
        self._least = None
        self._sort_in(room)
        self._note(room)

    def remove(self, room: Room) -> None:
        del self.entries[bisect_left(self.entries, room.entry)]
        del self.wholes[bisect_left(self.wholes, room.empty)]
        self._least = None
        self._sort_out(room)
        room.kind = None

    def all_could_take(self, ask: Ask) -> bool:
        """Every one of the rooms, were it empty."""
        if self._least is None:
            columns = list(zip(*self.wholes, strict=True))[:4]
            self._least = tuple(min(column) for column in columns) or (0, 0, 0, 0)
        return not ask.excluded and ask.fits((*self._least, ""))

    def move(self, room: Room, entry: Entry) -> None:
        entries = self.entries
        del entries[bisect_left(entries, room.entry)]
        insort(entries, entry)
        if room.yields is not None and entry[0] != room.entry[0]:
            self.yield_more(room, room.yields + entry[0] - room.entry[0])
        room.entry = entry
        self._note(room)

    def yield_more(self, room: Room, yields: int | None) -> None:
        """Or less, or (None) nothing at all."""
        self._sort_out(room)
        room.yields = yields
        self._sort_in(room)

    def _sort_in(self, room: Room) -> None:
        if room.yields is not None:
            insort(self.yielding, (room.yields, room.name, room))

    def _sort_out(self, room: Room) -> None:
        if room.yields is not None:
            del self.yielding[bisect_left(self.yielding, (room.yields, room.name))]

    def yielders(self, gpus: int) -> Iterator[Room]:
        """Rooms of which somebody may go, that would have at least so many GPUs then."""
        yielding = self.yielding
        return (yielding[at][2] for at in range(bisect_left(yielding, (gpus,)), len(yielding)))

    def most_yielded(self, gpus: int) -> int:
        """More places of so many GPUs than this cannot be had where somebody may go. Costs nothing to ask."""
        count = len(self.yielding) - bisect_left(self.yielding, (gpus,))
        return count * (self.yielding[-1][0] // gpus) if count else 0

    def _note(self, room: Room) -> None:
        self._moved.append(room)
        if len(self._moved) > 2 * len(self.entries) + MOVES_WORTH_READING:
            self._forgotten += len(self._moved)
            self._moved.clear()

    def first(self, ask: Ask) -> Entry | None:
        """The tightest room that fits."""
        cursor = ask.cursors.get(self)
        if cursor is None:
            cursor = ask.cursors[self] = Cursor()
        start = self._start(ask, cursor)
        found = next(fitting(self.entries, ask, bisect_left(self.entries, start)), None)
        cursor.key = BEYOND if found is None else found
        cursor.seen = self._forgotten + len(self._moved)
        return found

    def _start(self, ask: Ask, cursor: Cursor) -> Entry:
        """A key before which nothing fits."""
        since = cursor.seen - self._forgotten
        if since < 0 or len(self._moved) - since > MOVES_WORTH_READING:
            return NOTHING
        start = cursor.key
        for room in self._moved[since:]:
            if room.kind is self and room.entry < start and ask.fits(room.entry):
                start = room.entry
        return start

    def all_that_fit(self, ask: Ask) -> Iterator[Entry]:
        """The tightest first. Not to be moved meanwhile."""
        first = self.first(ask)
        return iter(()) if first is None else fitting(self.entries, ask, bisect_left(self.entries, first))


def fitting(entries: list[Entry], ask: Ask, at: int = 0) -> Iterator[Entry]:
    """Those that fit, from this place on; leaps over those with too few GPUs or CPUs."""
    count = len(entries)
    if ask.gpu:
        at = max(at, bisect_left(entries, (ask.gpu,)))
    while at < count:
        level = entries[at][0]
        if ask.cpu:
            at = max(at, bisect_left(entries, (level, ask.cpu), at))
        while at < count and entries[at][0] == level:
            if ask.fits(entries[at]):
                yield entries[at]
            at += 1
