"""All rooms, by kind; which kinds a platform means; and which pools share nodes."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from osmo_domain.clusters import node_in_platform
from osmo_domain.node_fit import NodeLoad
from osmo_domain.placement.room import Ask, Kind, Room, fitting
from osmo_domain.plan import Resources
from osmo_domain.pool import Platform, Pool

_Signature = tuple[object, ...]

ASKS_KEPT = 20_000


class NodeSet(Struct, frozen=True):
    """Pools that share nodes, be it through others; and the GPUs of all their nodes."""

    pools: frozenset[str]
    capacity: int


class Floor:
    """`version` grows with every change but those of promises: of nodes, of what others use on them, of pools."""

    def __init__(self) -> None:
        self.rooms: dict[tuple[str, str], Room] = {}
        self.pools: dict[str, Pool] = {}
        self.version = 0
        self._kinds: dict[_Signature, Kind] = {}
        self._label_keys: tuple[str, ...] = ()
        self._asks: dict[tuple[str, Resources], Ask] = {}
        self._node_sets: tuple[int, dict[str, NodeSet]] = (-1, {})

    def set_pools(self, pools: Mapping[str, Pool]) -> None:
        if self.pools == pools:
            return
        self.pools = dict(pools)
        self.version += 1
        self._label_keys = tuple(
            sorted({key for pool in pools.values() for each in _platforms(pool) for key in each.labels})
        )
        self._kinds.clear()
        self._asks.clear()
        for room in self.rooms.values():
            room.kind = None
            self._sort_in(room)

    def see(self, backend: str, load: NodeLoad) -> Room:
        """The room of this node, which is new or has changed. One that is only said again costs next to nothing."""
        room = self.rooms.get((backend, load.fact.name))
        if room is None:
            room = self.rooms[backend, load.fact.name] = Room(backend, load)
        elif replace(load.fact, at=room.fact.at) == room.fact:
            room.load = load
            room.refresh()
            return room
        elif room.kind is not None:
            room.kind.remove(room)
        self.version += 1
        room.load = load
        room.note_fact()
        room.entry = room.as_it_is()
        self._sort_in(room)
        return room

    def lose(self, backend: str, name: str) -> None:
        room = self.rooms.pop((backend, name), None)
        if room is not None:
            self.version += 1
            if room.kind is not None:
                room.kind.remove(room)

    def _sort_in(self, room: Room) -> None:
        fact = room.load.fact
        if not fact.available:
            return
        signature = room.backend, tuple(fact.labels.get(key) for key in self._label_keys), fact.taints, fact.gpu
        kind = self._kinds.get(signature)
        if kind is None:
            kind = self._kinds[signature] = Kind(fact)
            self._asks.clear()
        kind.add(room)

    def ask(self, pool: Pool, resources: Resources) -> Ask:
        key = pool.name, resources
        ask = self._asks.get(key)
        if ask is None:
            if len(self._asks) > ASKS_KEPT:
                self._asks.clear()
            ask = self._asks[key] = Ask(resources, self._kinds_of(pool, [platform_of(pool, resources.platform)]))
        return ask

    def _kinds_of(self, pool: Pool, platforms: Iterable[Platform | None]) -> tuple[Kind, ...]:
        wanted = [platform for platform in platforms if platform is not None]
        return tuple(
            kind
            for signature, kind in self._kinds.items()
            if signature[0] == pool.backend and any(node_in_platform(kind.sample, platform) for platform in wanted)
        )

    def possible(self, ask: Ask) -> Iterator[Room]:
        """Where it would fit, were none of our work there."""
        return (entry[5] for kind in ask.kinds for entry in fitting(kind.wholes, ask))

    def conceivable(self, ask: Ask) -> bool:
        """Would it fit anywhere, were neither our work there nor that of others?"""
        facts = (entry[5].load.fact for kind in ask.kinds for entry in kind.entries)
        return any(ask.fits((fact.gpu, fact.cpu, fact.memory_bytes, fact.storage_bytes, fact.name)) for fact in facts)

    def node_set(self, pool: str) -> NodeSet:
        """The pools that the pool shares nodes with (itself, too), and the capacity that they share."""
        if self._node_sets[0] != self.version:
            self._node_sets = self.version, self._find_node_sets()
        return self._node_sets[1].get(pool) or NodeSet(frozenset({pool}), 0)

    def _find_node_sets(self) -> dict[str, NodeSet]:
        found: list[tuple[set[str], set[Kind]]] = []
        for name, pool in self.pools.items():
            pools, kinds = {name}, set(self._kinds_of(pool, _platforms(pool)))
            apart = []
            for other in found:
                if kinds.isdisjoint(other[1]):
                    apart.append(other)
                else:
                    pools, kinds = pools | other[0], kinds | other[1]
            found = [*apart, (pools, kinds)]
        sets = [NodeSet(frozenset(pools), sum(_gpus(kind) for kind in kinds)) for pools, kinds in found]
        return {name: each for each in sets for name in each.pools}


def platform_of(pool: Pool, platform: str) -> Platform | None:
    """The platform by its name, or the pool's default; any node where the pool has no platforms at all."""
    name = platform or pool.default_platform or ""
    return pool.platforms.get(name) if name else Platform()


def _platforms(pool: Pool) -> list[Platform]:
    return list(pool.platforms.values()) or [Platform()]


def _gpus(kind: Kind) -> int:
    return sum(entry[5].load.fact.gpu for entry in kind.entries)
