"""Answers about nodes."""

from collections.abc import Sequence
from typing import Final

from osmo_api.http import (
    ByPlatform,
    ConciseResourcesAnswer,
    Fields,
    PlatformConfigEntry,
    PoolResourcesEntry,
    ResourceEntry,
    ResourcesAnswer,
)
from osmo_domain.cluster import NodeFact
from osmo_domain.errors import Rejected
from osmo_domain.pool import ControlRequests
from osmo_gateway.estate import Estate, NodeKey
from osmo_gateway.pools import Usage, pool_status
from osmo_service.clock import Clock
from osmo_views.rows import NodeUse

_GIB: Final = 1 << 30
_UNUSED: Final = NodeUse("", "", 0, 0, 0, 0)


class Resources:
    def __init__(self, estate: Estate, usage: Usage, clock: Clock) -> None:
        self._estate = estate
        self._usage = usage
        self._clock = clock

    async def listed(self, pools: Sequence[str] = (), platforms: Sequence[str] = ()) -> ResourcesAnswer:
        """Every available node, or those of the named pools (and of these platforms of theirs)."""
        await self._usage.refresh()
        return ResourcesAnswer(resources=[self._entry(key) for key in self._wanted(pools, platforms)])

    async def by_pool(self, pools: Sequence[str] = (), platforms: Sequence[str] = ()) -> ConciseResourcesAnswer:
        """Sums per pool and platform."""
        await self._usage.refresh()
        return ConciseResourcesAnswer(
            pools=[
                self._pool_entry(name, platform)
                for name, pool in sorted(self._estate.catalogue.pools.items())
                for platform in sorted(pool.platforms)
                if not pools or (name in pools and (not platforms or platform in platforms))
            ]
        )

    async def named(self, name: str) -> ResourcesAnswer:
        """The nodes of this name (one per backend that has it)."""
        await self._usage.refresh()
        keys = [key for key in self._estate.layout.nodes if key[1] == name]
        if not keys:
            message = f"Node {name[:200]} is not found."
            raise Rejected("resource.unknown", message, error_code="NOTFOUND", http_status=404)
        return ResourcesAnswer(resources=[self._entry(key) for key in keys])

    def _wanted(self, pools: Sequence[str], platforms: Sequence[str]) -> list[NodeKey]:
        layout = self._estate.layout
        if not pools:
            return sorted(layout.nodes)
        return sorted(
            key
            for key, in_pools in layout.platforms.items()
            if any(not platforms or not set(platforms).isdisjoint(in_pools[pool]) for pool in pools if pool in in_pools)
        )

    def _pool_entry(self, pool: str, platform: str) -> PoolResourcesEntry:
        layout = self._estate.layout
        keys = [key for key in layout.pool_nodes[pool] if platform in layout.platforms[key][pool]]
        config = self._estate.catalogue.pools[pool]
        return PoolResourcesEntry(
            pool=pool,
            platform=platform,
            status=pool_status(config, self._estate.clusters, self._clock.now()),
            usage_fields=_summed([_used(self._usage.nodes.get(key, _UNUSED)) for key in keys]),
            allocatable_fields=_summed([_all(layout.nodes[key]) for key in keys]),
            backend=config.backend,
        )

    def _entry(self, key: NodeKey) -> ResourceEntry:
        backend, name = key
        layout = self._estate.layout
        node, in_pools = layout.nodes[key], layout.platforms[key]
        use = self._usage.nodes.get(key, _UNUSED)
        return ResourceEntry(
            hostname=name,
            exposed_fields={
                "node": name,
                "pool/platform": [f"{pool}/{one}" for pool, platforms in in_pools.items() for one in platforms],
                "storage": str(node.storage_bytes // _GIB),
                "cpu": str(node.cpu),
                "memory": str(node.memory_bytes // _GIB),
                "gpu": str(node.gpu),
            },
            taints=[{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in node.taints],
            usage_fields=_fields(*_used(use)),
            allocatable_fields=_fields(*_all(node)),
            conditions=list(node.conditions),
            non_workflow_usage_fields=_raw_fields(node),
            platform_allocatable_fields=self._per_platform(in_pools, node, _NOTHING),
            platform_available_fields=self._per_platform(in_pools, node, _used(use)),
            platform_workflow_allocatable_fields=self._per_platform(in_pools, node, _others(node)),
            config_fields=self._config(in_pools),
            backend=backend,
            label_fields=None,
            pool_platform_labels=in_pools,
            resource_type=("UNUSED", "RESERVED", "SHARED")[min(len(in_pools), 2)],
        )

    def _per_platform(self, in_pools: dict[str, list[str]], node: NodeFact, taken: "_Amounts") -> ByPlatform:
        """What the node has for tasks of each platform: less what their control container asks for, and less what is taken."""
        found: ByPlatform = {}
        for pool, names in in_pools.items():
            platforms = self._estate.catalogue.pools[pool].platforms
            found[pool] = {
                name: _fields(*_left(_left(_all(node), _control(platforms[name].control)), taken)) for name in names
            }
        return found

    def _config(self, in_pools: dict[str, list[str]]) -> dict[str, dict[str, PlatformConfigEntry]]:
        found: dict[str, dict[str, PlatformConfigEntry]] = {}
        for pool, names in in_pools.items():
            platforms = self._estate.catalogue.pools[pool].platforms
            found[pool] = {
                name: PlatformConfigEntry(
                    host_network=platforms[name].host_network_allowed,
                    privileged=platforms[name].privileged_allowed,
                    default_mounts=platforms[name].default_mounts,
                    allowed_mounts=platforms[name].allowed_mounts,
                )
                for name in names
            }
        return found


_Amounts = tuple[int, float, int, int]
"""Storage bytes, CPUs, memory bytes, GPUs."""

_NOTHING: Final[_Amounts] = (0, 0, 0, 0)


def _all(node: NodeFact) -> _Amounts:
    return node.storage_bytes, node.cpu, node.memory_bytes, node.gpu


def _used(use: NodeUse) -> _Amounts:
    return use.storage_bytes, use.cpu, use.memory_bytes, use.gpu


def _others(node: NodeFact) -> _Amounts:
    return node.used_storage_bytes, node.used_cpu, node.used_memory_bytes, node.used_gpu


def _control(asked: ControlRequests) -> _Amounts:
    return asked.storage_bytes, asked.cpu, asked.memory_bytes, 0


def _left(whole: _Amounts, taken: _Amounts) -> _Amounts:
    storage, cpu, memory, gpu = (max(0, a - b) for a, b in zip(whole, taken, strict=True))
    return int(storage), cpu, int(memory), int(gpu)


def _summed(amounts: Sequence[_Amounts]) -> Fields:
    storage, cpu, memory, gpu = map(sum, zip(*amounts, strict=True)) if amounts else (0, 0, 0, 0)
    return _fields(int(storage), cpu, int(memory), int(gpu))


def _fields(storage: int, cpu: float, memory: int, gpu: int) -> Fields:
    return {"storage": str(storage), "cpu": f"{cpu:g}", "memory": f"{memory // 1024}Ki", "gpu": str(gpu)}


def _raw_fields(node: NodeFact) -> Fields:
    return {
        "cpu": f"{node.used_cpu:g}",
        "memory": f"{node.used_memory_bytes // 1024}Ki",
        "ephemeral-storage": str(node.used_storage_bytes),
        "nvidia.com/gpu": str(node.used_gpu),
    }
