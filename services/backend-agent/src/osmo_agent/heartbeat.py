"""The sign of life: scheduler and gateway call a backend online while it beats."""

import asyncio
import contextlib

from osmo_agent.facts import Facts
from osmo_domain.cluster import Heartbeat
from osmo_domain.errors import Transient
from osmo_service.clock import Clock


async def beat(facts: Facts, clock: Clock, every_s: float) -> None:
    """One beat at once, then one per `every_s`. A beat that cannot be stored is let go: the next says the same."""
    while True:
        with contextlib.suppress(Transient):
            await facts.send(facts.seal("heartbeat", Heartbeat(clock.now())))
        await asyncio.sleep(every_s)
