"""The agent's whole truth, now and then: which attempts have a pod. What is missing there is gone: lost edges heal by it."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import msgspec

from osmo_agent.facts import Facts
from osmo_agent.outbox import Outbox
from osmo_agent.ports import PodRuntime
from osmo_domain.cluster import InventorySeen
from osmo_eventlog.ports import Blobs
from osmo_service.backoff import Backoff, until_done
from osmo_service.clock import Clock

log = logging.getLogger("osmo.agent.inventory")

INLINE = 4_000
"""Beyond so many pods the list goes to the blobs: a message stays well under a megabyte."""


class InventoryLoop:
    """At start, when the link is back, and every `every_s`. `stored` is set with the first."""

    def __init__(
        self,
        runtime: PodRuntime,
        outbox: Outbox,
        facts: Facts,
        commands_through: Callable[[], Awaitable[int]],
        blobs: Blobs,
        clock: Clock,
        rng: random.Random,
        *,
        every_s: float,
    ) -> None:
        self._runtime = runtime
        self._outbox = outbox
        self._facts = facts
        self._commands_through = commands_through
        self._blobs = blobs
        self._clock = clock
        self._rng = rng
        self._every_s = every_s
        self.stored = asyncio.Event()

    async def run(self) -> None:
        backoff = Backoff(self._rng)
        while True:
            self._facts.healed.clear()
            try:
                seen = await self.look()
            except Exception:  # the skeleton of this loop: whatever a cluster's API throws, look again later
                log.exception("cannot list pods")
                await backoff.pause()
                continue
            backoff.reset()
            await self._outbox.add_inventory(seen)
            self.stored.set()
            await self._until_due()

    async def look(self) -> InventorySeen:
        """The position is read before the pods are: what it covers is in the list, unless it is gone."""
        through = await until_done(self._commands_through, what="commands carried out", rng=self._rng)
        now = self._clock.now()
        pods = tuple((pod.workflow_uuid, pod.task, pod.retry_id) for pod in await self._runtime.list_pods())
        if len(pods) <= INLINE:
            return InventorySeen(now, pods, through)
        listed = msgspec.json.encode(pods)
        digest = await until_done(lambda: self._blobs.put(listed), what="inventory blob", rng=self._rng)
        return InventorySeen(now, (), through, pods_blob=digest)

    async def _until_due(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._facts.healed.wait()
        except TimeoutError:
            return
