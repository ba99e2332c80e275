"""What the service knows of the installation, kept current by following CONFIG and CLUSTERS."""

from collections.abc import Iterable
from datetime import datetime

from osmo_domain.cluster import NodeFact
from osmo_domain.clusters import Clusters
from osmo_domain.config import Catalogue
from osmo_domain.errors import Rejected
from osmo_domain.pool import Pool, WorkflowSettings
from osmo_eventlog.subjects import shard_of


class Known:
    def __init__(self, catalogue: Catalogue, clusters: Clusters, shards: int) -> None:
        self._catalogue = catalogue
        self._clusters = clusters
        self._shards = shards

    @property
    def settings(self) -> WorkflowSettings:
        return self._catalogue.workflow

    def pool(self, name: str) -> Pool:
        pool = self._catalogue.pools.get(name)
        if pool is None:
            raise Rejected("submit.unknown_pool", f"Pool {name} not found.", error_code="USER")
        return pool

    def shard(self, pool: Pool) -> int:
        return shard_of(pool.backend, self._shards)

    def nodes(self, pool: Pool, now: datetime) -> Iterable[NodeFact]:
        """What a request may be measured against: none while the backend is away, whose nodes may change unseen."""
        cluster = self._clusters.by_backend.get(pool.backend)
        return cluster.nodes.values() if cluster is not None and cluster.online(now) else ()
