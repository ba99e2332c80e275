"""Blobs, leases and snapshots in memory."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from osmo_eventlog.memory.clock import Clock
from osmo_eventlog.memory.link import Link
from osmo_eventlog.memory.state import ServerState
from osmo_eventlog.ports import Lease


class MemoryBlobs:
    def __init__(self, state: ServerState, link: Link) -> None:
        self._state = state
        self._link = link

    async def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        await self._link.reach("blob.put", digest)
        self._state.blobs[digest] = data
        await self._link.answer("blob.put", digest)
        return digest

    async def get(self, digest: str) -> bytes:
        await self._link.reach("blob.get", digest)
        data = self._state.blobs[digest]
        await self._link.answer("blob.get", digest)
        return data


class MemorySnapshots:
    def __init__(self, state: ServerState, link: Link) -> None:
        self._state = state
        self._link = link

    async def put(self, name: str, data: bytes) -> None:
        await self._link.reach("snapshot.put", name)
        self._state.snapshots[name] = data
        await self._link.answer("snapshot.put", name)

    async def get(self, name: str) -> bytes | None:
        await self._link.reach("snapshot.get", name)
        data = self._state.snapshots.get(name)
        await self._link.answer("snapshot.get", name)
        return data


@dataclass(frozen=True, slots=True)
class Claim:
    lease: Lease
    until: datetime


class MemoryLeases:
    def __init__(self, state: ServerState, link: Link, clock: Clock) -> None:
        self._state = state
        self._link = link
        self._clock = clock

    async def acquire(self, name: str, holder: str, *, ttl_s: float) -> Lease | None:
        await self._link.reach("lease.acquire", name)
        held = self._live(name)
        if held is None:
            self._state.lease_epoch += 1
            lease = Lease(name, holder, self._state.lease_epoch)
        else:
            lease = held
        if lease.holder == holder:
            self._keep(lease, ttl_s)
        await self._link.answer("lease.acquire", name)
        return lease if lease.holder == holder else None

    async def renew(self, lease: Lease, *, ttl_s: float) -> bool:
        await self._link.reach("lease.renew", lease.name)
        mine = self._live(lease.name) == lease
        if mine:
            self._keep(lease, ttl_s)
        await self._link.answer("lease.renew", lease.name)
        return mine

    async def release(self, lease: Lease) -> None:
        await self._link.reach("lease.release", lease.name)
        if self._live(lease.name) == lease:
            del self._state.claims[lease.name]
        await self._link.answer("lease.release", lease.name)

    def _live(self, name: str) -> Lease | None:
        claim = self._state.claims.get(name)
        return claim.lease if claim is not None and self._clock.now() < claim.until else None

    def _keep(self, lease: Lease, ttl_s: float) -> None:
        self._state.claims[lease.name] = Claim(lease, self._clock.now() + timedelta(seconds=ttl_s))
