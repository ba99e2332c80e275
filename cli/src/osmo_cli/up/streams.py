"""Declaring the streams before any service binds to one: a child of its own, because it needs an event loop and we must not have one."""

import asyncio
import os
import random

from osmo_cli.up.children import Birth
from osmo_cli.up.layout import DataDir

NAME = "streams"


def birth(data_dir: DataDir, nats_url: str) -> Birth:
    def body(ready_fd: int) -> None:
        os.close(ready_fd)
        asyncio.run(_apply(nats_url))

    return Birth(NAME, body, data_dir.log(NAME))


async def _apply(nats_url: str) -> None:
    from osmo_eventlog.nats import apply_streams, connect

    async with connect(nats_url, name="osmo-up", rng=random.Random()) as connection:
        await apply_streams(connection)
