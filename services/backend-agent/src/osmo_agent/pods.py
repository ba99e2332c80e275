"""Pods, as the runtime sees them, go to the outbox as they come."""

import logging
import random

from osmo_agent.outbox import Outbox
from osmo_agent.ports import PodRuntime
from osmo_service.backoff import Backoff

log = logging.getLogger("osmo.agent.pods")


async def watch_pods(runtime: PodRuntime, outbox: Outbox, rng: random.Random) -> None:
    """For ever. A watch that ends or breaks is opened again; each begins with the present state of every pod, so nothing stays unseen."""
    backoff = Backoff(rng)
    while True:
        try:
            async for batch in runtime.watch_pods():
                outbox.add(batch)
                backoff.reset()
        except Exception:  # the skeleton of this loop: whatever a cluster's API throws, watch again
            log.exception("the watch of pods broke; opening it again")
        await backoff.pause()
