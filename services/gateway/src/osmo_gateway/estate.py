"""The installation as this gateway knows it: pools, backends, nodes; and which node belongs to which pool, worked out once per change."""

import asyncio
from dataclasses import dataclass, field

from osmo_domain.cluster import NodeFact
from osmo_domain.clusters import Clusters, node_in_platform
from osmo_domain.config import Catalogue
from osmo_domain.pool import Pool
from osmo_eventlog.following import follow_clusters
from osmo_eventlog.ports import EventLog

NodeKey = tuple[str, str]
"""Backend and node name."""


@dataclass(slots=True)
class Layout:
    """Which available nodes lie in which pool and platform, and the pools that share nodes."""

    nodes: dict[NodeKey, NodeFact] = field(default_factory=dict)
    platforms: dict[NodeKey, dict[str, list[str]]] = field(default_factory=dict)
    """Node to pool to platforms."""
    pool_nodes: dict[str, list[NodeKey]] = field(default_factory=dict)
    node_sets: list[list[str]] = field(default_factory=list)
    """Names of pools that share a node, directly or through others; per backend; pools without nodes stand together."""


class Estate:
    """`catalogue` is kept current by osmo_gateway.configs.keeper, which also sets `catalogue_known`."""

    def __init__(self, event_log: EventLog) -> None:
        self._log = event_log
        self._layout: Layout | None = None
        self.catalogue = Catalogue.empty()
        self.clusters = Clusters()
        self.catalogue_known = asyncio.Event()
        self.clusters_known = asyncio.Event()

    async def follow_clusters(self) -> None:
        """Root loop."""
        await follow_clusters(self._log, self.clusters, self.clusters_known, self.forget_layout)

    @property
    def layout(self) -> Layout:
        if self._layout is None:
            self._layout = lay_out(self.catalogue, self.clusters)
        return self._layout

    def forget_layout(self) -> None:
        """Pools or nodes have changed."""
        self._layout = None


def lay_out(catalogue: Catalogue, clusters: Clusters) -> Layout:
    layout = Layout()
    for backend, cluster in clusters.by_backend.items():
        for node in cluster.nodes.values():
            if node.available:
                layout.nodes[backend, node.name] = node
                layout.platforms[backend, node.name] = {}
    for pool in catalogue.pools.values():
        layout.pool_nodes[pool.name] = _nodes_of(pool, layout)
    layout.node_sets = _node_sets(catalogue, layout)
    return layout


def _nodes_of(pool: Pool, layout: Layout) -> list[NodeKey]:
    """The pool's nodes; each is told which platforms of the pool it has."""
    found = []
    for key, node in layout.nodes.items():
        platforms = [name for name, platform in pool.platforms.items() if node_in_platform(node, platform)]
        if key[0] == pool.backend and platforms:
            layout.platforms[key][pool.name] = platforms
            found.append(key)
    return found


def _node_sets(catalogue: Catalogue, layout: Layout) -> list[list[str]]:
    """Connected components of pools over shared nodes (union-find)."""
    leader = {name: name for name in catalogue.pools}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    first_of: dict[object, str] = {}
    for pool in catalogue.pools.values():
        shared_things: list[object] = [*layout.pool_nodes[pool.name]] or [pool.backend]
        for shared in shared_things:
            leader[find(pool.name)] = find(first_of.setdefault(shared, pool.name))
    sets: dict[str, list[str]] = {}
    for name in sorted(catalogue.pools):
        sets.setdefault(find(name), []).append(name)
    return list(sets.values())
