"""Answers about pools and their quotas."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from osmo_api.http import (
    GpuQuotaEntry,
    NodeSetEntry,
    PlatformEntry,
    PoolEntry,
    PoolQuotaAnswer,
    PoolResources,
    PoolsAnswer,
    PoolUsageEntry,
    ResourceUsage,
    TopologyKey,
)
from osmo_domain.clusters import Clusters
from osmo_domain.errors import Rejected
from osmo_domain.pool import Platform, Pool, Priority
from osmo_gateway.capacity import Capacity
from osmo_gateway.estate import Estate, NodeKey
from osmo_gateway.times import length_text
from osmo_service.clock import Clock
from osmo_views.ports import WorkflowViews
from osmo_views.rows import GpuUse, NodeUse

_FRESH: Final = timedelta(milliseconds=250)
"""How old figures of use may be."""


class Usage:
    """What running tasks use, asked of the views at most four times a second."""

    def __init__(self, views: WorkflowViews, clock: Clock) -> None:
        self._views = views
        self._clock = clock
        self._asked_at: datetime | None = None
        self._asking = asyncio.Lock()
        self.pools: dict[str, list[GpuUse]] = {}
        self.nodes: dict[NodeKey, NodeUse] = {}

    async def refresh(self) -> None:
        if self._fresh():
            return
        async with self._asking:
            if self._fresh():
                return
            asked_at = self._clock.now()
            gpus, nodes = await self._views.running_gpus(), await self._views.node_use()
            self.pools = {use.pool: [] for use in gpus}
            for use in gpus:
                self.pools[use.pool].append(use)
            self.nodes = {(use.backend, use.node): use for use in nodes}
            self._asked_at = asked_at

    def _fresh(self) -> bool:
        return self._asked_at is not None and self._clock.now() - self._asked_at < _FRESH


class Pools:
    def __init__(self, estate: Estate, usage: Usage, clock: Clock) -> None:
        self._estate = estate
        self._usage = usage
        self._clock = clock
        self._capacity = Capacity(estate)

    def require(self, name: str) -> Pool:
        pool = self._estate.catalogue.pools.get(name)
        if pool is None:
            raise Rejected("pool.unknown", f"Pool {name[:200]} does not exist.")
        return pool

    def listed(self, names: Sequence[str] = ()) -> PoolsAnswer:
        """Every pool, or those that are named."""
        now = self._clock.now()
        pools = self._estate.catalogue.pools
        return PoolsAnswer(
            pools={
                name: PoolEntry(*_entry(pools[name], self._estate.clusters, now))
                for name in sorted(pools)
                if _named(names, name)
            }
        )

    async def quota(self, names: Sequence[str] = ()) -> PoolQuotaAnswer:
        """The node sets that the pools lie in, with what is used and free."""
        await self._usage.refresh()
        total = _Sum()
        sets = [
            NodeSetEntry(pools=entries)
            for node_set in self._estate.layout.node_sets
            if (entries := self._node_set(node_set, names, total))
        ]
        return PoolQuotaAnswer(node_sets=sets, resource_sum=total.as_usage())

    def _node_set(self, node_set: Sequence[str], names: Sequence[str], total: "_Sum") -> list[PoolUsageEntry]:
        wanted = [name for name in node_set if _named(names, name)]
        if not wanted:
            return []
        capacity, free = self._capacity.of(node_set, self._usage.nodes)
        total.capacity += capacity
        total.free += free
        return [self._pool_usage(self._estate.catalogue.pools[name], capacity, free, total) for name in wanted]

    def _pool_usage(self, pool: Pool, capacity: int, free: int, total: "_Sum") -> PoolUsageEntry:
        uses = self._usage.pools.get(pool.name, [])
        usage = sum(use.gpu for use in uses)
        used = sum(use.gpu for use in uses if use.priority is not Priority.LOW)
        guarantee = pool.gpu.guarantee if pool.gpu else -1
        limit = capacity if guarantee == -1 else guarantee
        total.used, total.limit, total.usage = total.used + used, total.limit + limit, total.usage + usage
        figures = ResourceUsage(*map(str, (used, limit - used, limit, usage, capacity, free)))
        entry = _entry(pool, self._estate.clusters, self._clock.now(), gpu=_gpu(pool) or GpuQuotaEntry())
        return PoolUsageEntry(*entry, figures)


class _Sum:
    """Quotas are summed per pool, capacity and free GPUs once per node set."""

    def __init__(self) -> None:
        self.used = self.limit = self.usage = self.capacity = self.free = 0

    def as_usage(self) -> ResourceUsage:
        figures = (self.used, self.limit - self.used, self.limit, self.usage, self.capacity, self.free)
        return ResourceUsage(*map(str, figures))


def pool_status(pool: Pool, clusters: Clusters, now: datetime) -> str:
    if pool.enable_maintenance:
        return "MAINTENANCE"
    cluster = clusters.by_backend.get(pool.backend)
    return "ONLINE" if cluster is not None and cluster.online(now) else "OFFLINE"


def _named(names: Sequence[str], name: str) -> bool:
    return not names or name in names


def _gpu(pool: Pool) -> GpuQuotaEntry | None:
    return GpuQuotaEntry(pool.gpu.guarantee, pool.gpu.maximum, pool.gpu.weight) if pool.gpu else None


_Entry = tuple[
    str, str, str | None, str | None, bool, str, str | None, str, str, str, str, dict[str, str], PoolResources,
    tuple[TopologyKey, ...], dict[str, PlatformEntry],
]  # fmt: skip


def _entry(pool: Pool, clusters: Clusters, now: datetime, *, gpu: GpuQuotaEntry | None = None) -> _Entry:
    """The fields of a PoolEntry, in order."""
    return (
        pool.name,
        pool.description,
        pool_status(pool, clusters, now),
        None,
        pool.enable_maintenance,
        pool.backend,
        pool.default_platform,
        length_text(pool.default_exec_timeout_s),
        length_text(pool.default_queue_timeout_s),
        length_text(pool.max_exec_timeout_s),
        length_text(pool.max_queue_timeout_s),
        pool.default_exit_actions,
        PoolResources(gpu=gpu or _gpu(pool)),
        tuple(TopologyKey(one.key, one.label) for one in pool.topology_keys),
        {name: _platform(platform) for name, platform in pool.platforms.items()},
    )


def _platform(platform: Platform) -> PlatformEntry:
    return PlatformEntry(
        platform.description,
        platform.host_network_allowed,
        platform.privileged_allowed,
        platform.allowed_mounts,
        platform.default_mounts,
    )
