"""GPUs of the nodes that pools share, counted once for as long as neither the nodes nor what is used of them change."""

from collections.abc import Mapping, Sequence

from osmo_gateway.estate import Estate, Layout, NodeKey
from osmo_views.rows import NodeUse


class Capacity:
    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._layout: Layout | None = None
        self._uses: Mapping[NodeKey, NodeUse] | None = None
        self._counted: dict[str, tuple[int, int]] = {}

    def of(self, node_set: Sequence[str], uses: Mapping[NodeKey, NodeUse]) -> tuple[int, int]:
        """GPUs of the nodes of a set of `layout.node_sets`: all, and those that nobody holds. Who changes `uses` hands in another map."""
        layout = self._estate.layout
        if layout is not self._layout or uses is not self._uses:
            self._layout, self._uses, self._counted = layout, uses, {}
        first = node_set[0]
        if first not in self._counted:
            self._counted[first] = _counted(node_set, layout, uses)
        return self._counted[first]


def _counted(node_set: Sequence[str], layout: Layout, uses: Mapping[NodeKey, NodeUse]) -> tuple[int, int]:
    capacity = free = 0
    for key in {key for name in node_set for key in layout.pool_nodes[name]}:
        node, use = layout.nodes[key], uses.get(key)
        capacity += node.gpu
        free += max(0, node.gpu - node.used_gpu - (use.gpu if use else 0))
    return capacity, free
