"""GPUs that pools use: what counts against guarantees and maxima."""

from collections.abc import Mapping

from osmo_domain.placement.floor import Floor
from osmo_domain.placement.model import GroupKey, Held
from osmo_domain.pool import GpuQuota, Pool, Priority

UNLIMITED = -1
_DEFAULT = GpuQuota()


class Usage:
    """`firm` is HIGH and NORMAL, `low` is LOW; live work only, for what is over counts no more."""

    def __init__(self, firm: Mapping[str, int] | None = None, low: Mapping[str, int] | None = None) -> None:
        self.firm = dict(firm or {})
        self.low = dict(low or {})

    def copy(self) -> "Usage":
        return Usage(self.firm, self.low)

    def add(self, pool: str, gpus: int, *, low: bool) -> None:
        of = self.low if low else self.firm
        of[pool] = of.get(pool, 0) + gpus

    def total(self, pool: str) -> int:
        return self.firm.get(pool, 0) + self.low.get(pool, 0)


class Holders:
    """Who holds the GPUs of each pool."""

    def __init__(self) -> None:
        self._by_pool: dict[str, dict[GroupKey, int]] = {}
        self._priority: dict[GroupKey, Priority] = {}

    def add(self, held: Held, sign: int) -> None:
        groups = self._by_pool.setdefault(held.pool, {})
        left = groups.get(held.key, 0) + sign * held.resources.gpu
        if left > 0:
            groups[held.key] = left
            self._priority[held.key] = held.priority
        else:
            groups.pop(held.key, None)
            self._priority.pop(held.key, None)

    def of(self, pool: str, *, also_low: bool) -> list[tuple[int, GroupKey, Priority]]:
        """GPUs, group and priority; those who hold most first."""
        groups = self._by_pool.get(pool, {})
        held = [(-gpus, key, self._priority[key]) for key, gpus in groups.items()]
        return sorted(each for each in held if also_low or each[2] is not Priority.LOW)


def quota_of(pool: Pool | None) -> GpuQuota:
    """A pool that is gone guarantees nothing."""
    if pool is None:
        return GpuQuota(guarantee=0)
    return pool.gpu or _DEFAULT


def has_own_share(pool: Pool) -> bool:
    """A pool without a guarantee of its own stands in one line with the others of its node set."""
    return quota_of(pool).guarantee != UNLIMITED


def guaranteed(floor: Floor, pool: str) -> int:
    """GPUs of the guarantee; the capacity of the node set for a pool that has no number of its own."""
    guarantee = quota_of(floor.pools.get(pool)).guarantee
    return floor.node_set(pool).capacity if guarantee == UNLIMITED else guarantee


def firm_limit(pool: Pool) -> int:
    """How many GPUs HIGH and NORMAL work may hold; UNLIMITED where only the nodes are the limit."""
    quota = quota_of(pool)
    limits = [limit for limit in (quota.guarantee, quota.maximum) if limit != UNLIMITED]
    return min(limits, default=UNLIMITED)
