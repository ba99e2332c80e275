"""Where tasks fit: nodes with what is free on them, and the choice of one for each task of a gang."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from osmo_domain.cluster import NodeFact
from osmo_domain.clusters import node_in_platform
from osmo_domain.plan import Resources
from osmo_domain.pool import Platform, Pool

_GIB: Final = 1 << 30


class NodeLoad(Struct):
    """One node and what is already promised on it by live placements. Changed in place by whoever owns the cluster state."""

    fact: NodeFact
    promised_cpu: int = 0
    promised_gpu: int = 0
    promised_memory_bytes: int = 0
    promised_storage_bytes: int = 0


class Refusal(Struct, frozen=True):
    """Why there is no place: a stable code, and the numbers in words. True for every group of the same shape."""

    code: str
    message: str


class Room:
    """What is free on one node, during one pass."""

    __slots__ = ("cpu", "fact", "gpu", "memory_bytes", "name", "storage_bytes")

    def __init__(self, load: NodeLoad) -> None:
        fact = load.fact
        self.name = fact.name
        self.fact = fact
        self.cpu = fact.cpu - fact.used_cpu - load.promised_cpu
        self.gpu = fact.gpu - fact.used_gpu - load.promised_gpu
        self.memory_bytes = fact.memory_bytes - fact.used_memory_bytes - load.promised_memory_bytes
        self.storage_bytes = fact.storage_bytes - fact.used_storage_bytes - load.promised_storage_bytes

    def fits(self, asked: Resources) -> bool:
        """What is not asked for may be short."""
        return (
            (not asked.gpu or asked.gpu <= self.gpu)
            and (not asked.cpu or asked.cpu <= self.cpu)
            and (not asked.memory_bytes or asked.memory_bytes <= self.memory_bytes)
            and (not asked.storage_bytes or asked.storage_bytes <= self.storage_bytes)
            and self.name not in asked.nodes_excluded
        )

    def take(self, asked: Resources) -> None:
        self.cpu -= asked.cpu
        self.gpu -= asked.gpu
        self.memory_bytes -= asked.memory_bytes
        self.storage_bytes -= asked.storage_bytes

    def give_back(self, asked: Resources) -> None:
        self.cpu += asked.cpu
        self.gpu += asked.gpu
        self.memory_bytes += asked.memory_bytes
        self.storage_bytes += asked.storage_bytes

    def tightness(self) -> tuple[int, float, int, str]:
        """The smaller, the better the fit: large gaps stay whole for those who need them. The name makes it total."""
        return self.gpu, self.cpu, self.memory_bytes, self.name


class Floor:
    """The nodes of one backend during one pass: placing takes room."""

    def __init__(self, loads: Iterable[NodeLoad]) -> None:
        self._rooms = [Room(load) for load in loads if load.fact.available]
        self._by_platform: dict[tuple[str, str], list[Room]] = {}

    def place(self, tasks: Sequence[tuple[str, Resources]], pool: Pool) -> dict[str, str] | Refusal:
        """A node for every task, or nothing taken and why. Large tasks choose first."""
        taken: list[tuple[Room, Resources]] = []
        nodes: dict[str, str] = {}
        for name, asked in sorted(tasks, key=_largest_first):
            rooms = self._rooms_of(pool, asked.platform)
            room = min((room for room in rooms if room.fits(asked)), key=Room.tightness, default=None)
            if room is None:
                for other, promised in taken:
                    other.give_back(promised)
                return _why_not(asked, rooms, pool, placed=len(taken), gang=len(tasks))
            room.take(asked)
            taken.append((room, asked))
            nodes[name] = room.name
        return nodes

    def _rooms_of(self, pool: Pool, platform: str) -> list[Room]:
        key = (pool.name, platform)
        rooms = self._by_platform.get(key)
        if rooms is None:
            wanted = _platform_of(pool, platform)
            rooms = [room for room in self._rooms if wanted is not None and node_in_platform(room.fact, wanted)]
            self._by_platform[key] = rooms
        return rooms


def _platform_of(pool: Pool, platform: str) -> Platform | None:
    """The platform by its name, or the pool's default; any node where the pool has no platforms at all."""
    name = platform or pool.default_platform or ""
    return pool.platforms.get(name) if name else Platform()


def _largest_first(task: tuple[str, Resources]) -> tuple[int, int, int, int, str]:
    name, asked = task
    return -asked.gpu, -asked.cpu, -asked.memory_bytes, -asked.storage_bytes, name


def _why_not(asked: Resources, rooms: Sequence[Room], pool: Pool, *, placed: int, gang: int) -> Refusal:
    platform = asked.platform or pool.default_platform or "any"
    where = f"pool {pool.name}, platform {platform}"
    if not rooms:
        return Refusal("node_fit", f"No node is there for {where}.")
    allowed = [room for room in rooms if room.name not in asked.nodes_excluded]
    empty = [_emptied(room) for room in allowed]
    if not any(room.fits(asked) for room in empty):
        largest = _most(empty)
        return Refusal("node_fit", f"Asks for {_words(asked)} on one node; the largest of {where} offers {largest}.")
    which = f"Task {placed + 1} of {gang} of the group asks" if gang > 1 else "Asks"
    return Refusal(
        "capacity", f"{which} for {_words(asked)} on one node; free now in {where}: {_most(allowed)} at most."
    )


def _emptied(room: Room) -> Room:
    """The node as it would be without any work on it."""
    nothing_used = replace(room.fact, used_cpu=0, used_gpu=0, used_memory_bytes=0, used_storage_bytes=0)
    return Room(NodeLoad(nothing_used))


def _words(asked: Resources) -> str:
    parts = [
        f"{asked.gpu} GPU" if asked.gpu else "",
        f"{asked.cpu} CPU" if asked.cpu else "",
        f"{asked.memory_bytes / _GIB:.4g} GiB of memory" if asked.memory_bytes else "",
        f"{asked.storage_bytes / _GIB:.4g} GiB of storage" if asked.storage_bytes else "",
    ]
    return ", ".join(part for part in parts if part) or "a place"


def _most(rooms: Iterable[Room]) -> str:
    """The most of each that any one node has (not all on the same node, perhaps)."""
    each = list(rooms)
    return (
        f"{max((room.gpu for room in each), default=0)} GPU, {max((room.cpu for room in each), default=0):g} CPU, "
        f"{max((room.memory_bytes for room in each), default=0) / _GIB:.4g} GiB of memory, "
        f"{max((room.storage_bytes for room in each), default=0) / _GIB:.4g} GiB of storage"
    )
