"""What is known of every cluster: the fold of the CLUSTERS stream that concerns nodes and agents (pods concern their workflows)."""

from datetime import datetime, timedelta

from msgspec import Struct, field

from osmo_domain.cluster import (
    BackendRegistered,
    BackendRemoved,
    ClusterFact,
    Heartbeat,
    InventorySeen,
    NodeFact,
    NodeSeen,
    Taint,
)
from osmo_domain.pool import Platform

ONLINE_WITHIN = timedelta(minutes=2)


class Cluster(Struct):
    nodes: dict[str, NodeFact] = field(default_factory=dict)
    cluster_uid: str = ""
    version: str = ""
    runtime: str = ""
    capabilities: tuple[str, ...] = ()
    last_heartbeat: datetime | None = None

    def online(self, now: datetime) -> bool:
        return self.last_heartbeat is not None and now - self.last_heartbeat <= ONLINE_WITHIN


class Clusters(Struct):
    """Backend name to cluster. Changed in place by `see`; owned by one service."""

    by_backend: dict[str, Cluster] = field(default_factory=dict)

    def see(self, backend: str, fact: ClusterFact, stored_at: datetime | None = None) -> bool:
        """Fold one fact; True when nodes changed.

        A sign of life counts from when the log stored it, where that is known: the clock of a cluster may be wrong by hours.
        """
        if isinstance(fact, BackendRemoved):
            gone = self.by_backend.pop(backend, None)
            return gone is not None and bool(gone.nodes)
        cluster = self.by_backend.setdefault(backend, Cluster())
        match fact:
            case NodeSeen(node=node) if node.gone:
                return cluster.nodes.pop(node.name, None) is not None
            case NodeSeen(node=node):
                changed = cluster.nodes.get(node.name) != node
                cluster.nodes[node.name] = node
                return changed
            case BackendRegistered():
                cluster.cluster_uid, cluster.version, cluster.runtime = fact.cluster_uid, fact.version, fact.runtime
                cluster.capabilities = fact.capabilities
                cluster.last_heartbeat = _later(cluster.last_heartbeat, stored_at or fact.at)
            case Heartbeat(at=at) | InventorySeen(at=at):
                cluster.last_heartbeat = _later(cluster.last_heartbeat, stored_at or at)
            case _:
                pass
        return False


def _later(known: datetime | None, seen: datetime) -> datetime:
    return seen if known is None or seen > known else known


def node_in_platform(node: NodeFact, platform: Platform) -> bool:
    """The node carries every label of the platform, and the platform tolerates each of its taints that keeps work away."""
    return all(node.labels.get(key) == value for key, value in platform.labels.items()) and all(
        tolerated(taint, platform) for taint in node.taints
    )


def tolerated(taint: Taint, platform: Platform) -> bool:
    """Work of the platform may be where this taint is. PreferNoSchedule keeps nothing away."""
    return taint.effect == "PreferNoSchedule" or any(
        toleration.tolerates(taint.key, taint.value, taint.effect) for toleration in platform.tolerations
    )
