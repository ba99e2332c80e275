"""`python -m osmo_gateway.streams`: every stream exists as this version declares it. Runs before services start, as often as you like.

It waits for NATS as long as that takes, and for a cluster of servers to agree on who leads it. A cluster of servers keeps OSMO_STREAM_REPLICAS copies of each stream; a stream that has another number is changed.
"""

import asyncio
import logging
import os
import random
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from osmo_domain.errors import Transient
from osmo_eventlog.nats import apply_streams, connect
from osmo_service.logging_setup import set_up_logging
from osmo_service.settings import load_settings

log = logging.getLogger("osmo.gateway.streams")

AGAIN_S = 1.0


class StreamSettings(Struct, frozen=True):
    """`stream_replicas` above 1 needs as many members in the NATS cluster."""

    nats_url: str = "nats://127.0.0.1:4222"
    log_level: str = "INFO"
    stream_replicas: Literal[1, 3, 5] = 1


def declare(environ: Mapping[str, str]) -> None:
    """Returns when all streams are there."""
    settings = load_settings(StreamSettings, environ)
    set_up_logging(settings.log_level)
    asyncio.run(_apply(settings))


async def _apply(settings: StreamSettings) -> None:
    async with connect(settings.nats_url, name="streams", rng=random.Random()) as connection:
        while True:
            try:
                return await apply_streams(connection, replicas=settings.stream_replicas)
            except Transient as away:
                log.warning("the streams cannot be declared yet", extra={"why": str(away)})
                await asyncio.sleep(AGAIN_S)


if __name__ == "__main__":
    declare(os.environ)
