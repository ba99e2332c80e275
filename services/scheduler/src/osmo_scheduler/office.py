"""Holding the lease of a shard: nobody decides without it, and whoever loses it stops at once."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from osmo_domain.errors import Transient
from osmo_eventlog.ports import Lease, Leases
from osmo_service.backoff import until_done
from osmo_service.clock import Clock

log = logging.getLogger("osmo.scheduler.office")


class LeaseLost(Exception):
    """Another scheduler may be deciding by now."""


def lease_name(shard: int) -> str:
    return f"scheduler-{shard}"


class Office:
    """One candidate for one shard's lease. Renews three times per `ttl_s`; gives up a little before the claim would run out."""

    def __init__(
        self, leases: Leases, clock: Clock, rng: random.Random, *, shard: int, holder: str, ttl_s: float
    ) -> None:
        self._leases = leases
        self._clock = clock
        self._rng = rng
        self._name = lease_name(shard)
        self._holder = holder
        self._ttl_s = ttl_s
        self._renewed_at: datetime | None = None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Lease]:
        """Waits until the lease is ours; gives it back at the end, so that the next need not wait."""
        lease = await self._take()
        log.info("in office", extra={"lease": lease.name, "epoch": lease.epoch})
        try:
            yield lease
        finally:
            await self._give_back(lease)

    async def _take(self) -> Lease:
        while True:
            asked_at = self._clock.now()
            lease = await until_done(
                lambda: self._leases.acquire(self._name, self._holder, ttl_s=self._ttl_s),
                what=f"lease {self._name}",
                rng=self._rng,
            )
            if lease is not None:
                self._renewed_at = asked_at
                return lease
            await asyncio.sleep(self._ttl_s / 4)

    async def keep(self, lease: Lease) -> None:
        """Renew for ever; raises LeaseLost when the claim is lost, or may be."""
        while True:
            await asyncio.sleep(self._ttl_s / 3)
            asked_at = self._clock.now()
            try:
                async with asyncio.timeout(self._left_s()):
                    kept = await self._leases.renew(lease, ttl_s=self._ttl_s)
            except Transient as error:
                log.warning("cannot renew the lease", extra={"why": str(error)})
                if self._left_s() <= 0:
                    raise LeaseLost(lease.name) from error
                continue
            except TimeoutError as error:
                raise LeaseLost(lease.name) from error
            if not kept:
                raise LeaseLost(lease.name)
            self._renewed_at = asked_at

    def _left_s(self) -> float:
        """How long the claim surely still stands, less a tenth for safety."""
        assert self._renewed_at is not None
        until = self._renewed_at + timedelta(seconds=0.9 * self._ttl_s)
        return (until - self._clock.now()).total_seconds()

    async def _give_back(self, lease: Lease) -> None:
        try:
            await self._leases.release(lease)
        except Transient as error:
            log.info("the lease could not be given back; it runs out", extra={"why": str(error)})
