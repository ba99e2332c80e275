"""Leases: one message per name that the server lets expire, replaced only by whoever knows its position (style P14, P34).

The epoch is the position of the message that first claimed the name for its holder: positions only grow, so a later holder's epoch is higher.
Time is the server's alone; holders need no common clock. It counts in whole seconds.
"""

import math

import msgspec

from osmo_domain.errors import Stale
from osmo_eventlog.nats.append import Appending
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.names import as_token
from osmo_eventlog.nats.stored import StoredMessages
from osmo_eventlog.ports import Lease, Seq
from osmo_eventlog.streams import LEASE_BUCKET


class Claim(msgspec.Struct, frozen=True, omit_defaults=True):
    """`epoch` 0: this very message is the first of its holder."""

    holder: str
    epoch: int = 0


_CLAIM = msgspec.json.Decoder(Claim)


class NatsLeases:
    def __init__(self, link: Link, appending: Appending, stored: StoredMessages) -> None:
        self._link = link
        self._appending = appending
        self._stored = stored

    async def acquire(self, name: str, holder: str, *, ttl_s: float) -> Lease | None:
        held = await self._held(name)
        if held is None:
            seq = await self._claim(name, Claim(holder), 0, ttl_s)
            return Lease(name, holder, seq) if seq is not None else None
        lease, position = held
        if lease.holder != holder:
            return None
        kept = await self._claim(name, Claim(holder, lease.epoch), position, ttl_s)
        return lease if kept is not None else None

    async def renew(self, lease: Lease, *, ttl_s: float) -> bool:
        held = await self._held(lease.name)
        if held is None or held[0] != lease:
            return False
        return await self._claim(lease.name, Claim(lease.holder, lease.epoch), held[1], ttl_s) is not None

    async def release(self, lease: Lease) -> None:
        held = await self._held(lease.name)
        if held is None or held[0] != lease:
            return
        try:
            await self._link.js.delete_msg(LEASE_BUCKET, held[1])  # this very message: another holder's stays
        except LIBRARY_ERRORS as error:
            raise translate(error, f"release {lease.name}") from error

    async def _held(self, name: str) -> tuple[Lease, Seq] | None:
        found = await self._stored.last(LEASE_BUCKET, _subject(name))
        if found is None:
            return None
        claim = _CLAIM.decode(found.payload())
        return Lease(name, claim.holder, claim.epoch or found.seq), found.seq

    async def _claim(self, name: str, claim: Claim, position: Seq, ttl_s: float) -> Seq | None:
        """The new position; None when another claim came first."""
        message_id = f"{as_token(name)}.{self._link.rng.getrandbits(64):016x}"
        try:
            return await self._appending.append(
                _subject(name),
                msgspec.json.encode(claim),
                message_id=message_id,
                expected=position,
                ttl_s=max(1, math.ceil(ttl_s)),
            )
        except Stale:
            return None


def _subject(name: str) -> str:
    return f"osmo.lease.{as_token(name)}"
