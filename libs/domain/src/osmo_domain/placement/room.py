"""Nodes as room: what is free on each, sorted so that the tightest fit is found without looking at the others.

Nodes that no platform tells apart are of one `Kind`. A kind keeps its rooms sorted by what is free, GPUs first, and keeps a list of
rooms that moved: who looked before (an `Ask`) looks only at those, and from where he stopped.
"""

from bisect import bisect_left, insort
from typing import Any, Final

from osmo_domain.cluster import NodeFact
from osmo_domain.node_fit import NodeLoad
from osmo_domain.placement.model import Held, PodKey
from osmo_domain.plan import Resources

Entry = tuple[Any, ...]
"""GPUs, CPUs, memory and storage that are free, the name, and the room. The name makes the order total: rooms are never compared."""

NOTHING: Final[Entry] = ()
BEYOND: Final[Entry] = (float("inf"),)

MOVES_WORTH_READING: Final = 64


class Room:
    """One node during and between rounds. `low` is the LOW work on it that could be stopped, `low_gpus` what that holds."""

    __slots__ = ("backend", "entry", "kind", "load", "low", "low_gpus", "name")

    def __init__(self, backend: str, load: NodeLoad) -> None:
        self.backend = backend
        self.name = load.fact.name
        self.load = load
        self.kind: Kind | None = None
        self.low: dict[PodKey, Held] = {}
        self.low_gpus = 0
        self.entry = self.as_it_is()

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
        self.low_gpus += held.resources.gpu

    def drop_low(self, pod: PodKey) -> None:
        held = self.low.pop(pod, None)
        if held is not None:
            self.low_gpus -= held.resources.gpu

    def refresh(self) -> None:
        """The load has changed."""
        entry = self.as_it_is()
        if entry != self.entry:
            self.move(entry)

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


class Ask:
    """What one task asks of a node, and what is known of where it could go. `kinds` are those of its platform."""

    __slots__ = ("cpu", "cursors", "excluded", "gpu", "kinds", "memory", "possible", "resources", "storage")

    def __init__(self, resources: Resources, kinds: "tuple[Kind, ...]") -> None:
        self.resources = resources
        self.gpu = resources.gpu
        self.cpu = resources.cpu
        self.memory = resources.memory_bytes
        self.storage = resources.storage_bytes
        self.excluded = frozenset(resources.nodes_excluded)
        self.kinds = kinds
        self.cursors: dict[Kind, Cursor] = {}
        self.possible: tuple[int, frozenset[Room]] = (-1, frozenset())
        """Version of the floor, and the rooms in which it would fit were they empty (see Floor.possible)."""

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

    def times(self, gpu: float, cpu: float, memory: float, storage: float) -> int:
        """How many such tasks fit into this much; many for one that asks for nothing."""
        pairs = ((self.gpu, gpu), (self.cpu, cpu), (self.memory, memory), (self.storage, storage))
        return max(0, min((int(offered // asked) for asked, offered in pairs if asked), default=1 << 20))


class Cursor:
    """No room before `key` fits, but perhaps those that moved after `seen`."""

    __slots__ = ("key", "seen")

    def __init__(self) -> None:
        self.key: Entry = NOTHING
        self.seen = 0


class Kind:
    """Nodes of one backend that are alike to every platform; `sample` is one of them."""

    __slots__ = ("_forgotten", "_moved", "entries", "sample")

    def __init__(self, sample: NodeFact) -> None:
        self.sample = sample
        self.entries: list[Entry] = []
        self._moved: list[Room] = []
        self._forgotten = 0

    def add(self, room: Room) -> None:
        room.kind = self
        insort(self.entries, room.entry)
        self._note(room)

    def remove(self, room: Room) -> None:
        del self.entries[bisect_left(self.entries, room.entry)]
        room.kind = None

    def move(self, room: Room, entry: Entry) -> None:
        entries = self.entries
        del entries[bisect_left(entries, room.entry)]
        insort(entries, entry)
        room.entry = entry
        self._note(room)

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
        at = bisect_left(self.entries, start)
        found = self._scan(ask, at)
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

    def _scan(self, ask: Ask, at: int) -> Entry | None:
        """The first that fits from this place on; leaps over those with too few GPUs or CPUs."""
        entries, count = self.entries, len(self.entries)
        if ask.gpu:
            at = max(at, bisect_left(entries, (ask.gpu,)))
        while at < count:
            level = entries[at][0]
            if ask.cpu:
                at = max(at, bisect_left(entries, (level, ask.cpu), at))
            while at < count and entries[at][0] == level:
                if ask.fits(entries[at]):
                    return entries[at]
                at += 1
        return None

    def first_outside(self, ask: Ask, after: Entry, closed: "frozenset[Room]") -> Entry | None:
        """The tightest room that fits and is not closed, from this entry on."""
        for at in range(bisect_left(self.entries, after), len(self.entries)):
            entry = self.entries[at]
            if entry[5] not in closed and ask.fits(entry):
                return entry
        return None
