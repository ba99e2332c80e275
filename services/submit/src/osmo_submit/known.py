"""What the service knows of the installation, kept current by following CONFIG and CLUSTERS."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from osmo_domain.cluster import NodeFact
from osmo_domain.clusters import Clusters
from osmo_domain.commit import UnknownEvent
from osmo_domain.config import CONFIG_CODEC, Catalogue, apply_config
from osmo_domain.errors import Rejected, Transient
from osmo_domain.ids import CONFIG_NAME_PATTERN
from osmo_domain.pool import Pool, WorkflowSettings
from osmo_eventlog.ports import EventLog
from osmo_eventlog.subjects import CONFIG, config, config_of_kind, shard_of

_HEARD_WITHIN_S: Final = 5.0


class Known:
    def __init__(self, log: EventLog, catalogue: Catalogue, clusters: Clusters, shards: int) -> None:
        self._log = log
        self._catalogue = catalogue
        self._clusters = clusters
        self._shards = shards
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """The catalogue has been told news."""
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def settings(self) -> WorkflowSettings:
        return self._catalogue.workflow

    async def pool(self, name: str) -> Pool:
        """A pool that is not known here may have been made a moment ago: the log is asked before it is refused."""
        if name not in self._catalogue.pools:
            await self._hear_of_revisions()
            await self._read_through("workflow", "workflow")
            await self._read_through("pool", name)
        pool = self._catalogue.pools.get(name)
        if pool is None:
            raise Rejected("submit.unknown_pool", f"Pool {name} not found.", error_code="USER")
        return pool

    async def _hear_of_revisions(self) -> None:
        """Wait until every write of the configuration that is in the log is known here: a moment, or for as long as a question may take."""
        last = await self._log.last(CONFIG, config_of_kind("revision"))
        try:
            async with asyncio.timeout(_HEARD_WITHIN_S):
                while last is not None and self._catalogue.seq < last.seq:
                    await self._changed.wait()
        except TimeoutError as error:
            raise Transient("the configuration is not known yet") from error

    async def _read_through(self, kind: str, name: str) -> None:
        if not CONFIG_NAME_PATTERN.fullmatch(name):
            return
        record = await self._log.last(CONFIG, config(kind, name))
        for event in CONFIG_CODEC.decode(record.data).events if record else ():
            if not isinstance(event, UnknownEvent):
                apply_config(self._catalogue, event)

    def shard(self, pool: Pool) -> int:
        return shard_of(pool.backend, self._shards)

    def nodes(self, pool: Pool, now: datetime) -> Iterable[NodeFact]:
        """What a request may be measured against: none while the backend is away, whose nodes may change unseen."""
        cluster = self._clusters.by_backend.get(pool.backend)
        return cluster.nodes.values() if cluster is not None and cluster.online(now) else ()

    def runtime(self, pool: Pool) -> str:
        """What runs the pool's tasks (`process`, `kubernetes`, ...); empty where its backend was never heard of."""
        cluster = self._clusters.by_backend.get(pool.backend)
        return cluster.runtime if cluster is not None else ""
