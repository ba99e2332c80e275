"""The wiring of one scheduler: a candidate for the lease of its shard, and a term of office whenever it has it."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from osmo_domain.ids import new_uuid
from osmo_eventlog.ports import Connection
from osmo_scheduler.office import LeaseLost, Office
from osmo_scheduler.settings import SchedulerSettings
from osmo_scheduler.term import Term
from osmo_scheduler.together import together
from osmo_service.clock import Clock
from osmo_service.lifecycle import App

log = logging.getLogger("osmo.scheduler")


@asynccontextmanager
async def open_app(
    settings: SchedulerSettings, connection: Connection, clock: Clock, rng: random.Random, *, task_key: bytes
) -> AsyncIterator[App]:
    """Ready when it is in office and has caught up; a standby is not ready until then. `task_key` is the key of task_token."""
    ready = asyncio.Event()
    holder = settings.instance or new_uuid(rng)
    office = Office(connection.leases, clock, rng, shard=settings.shard, holder=holder, ttl_s=settings.lease_ttl_s)

    async def terms() -> None:
        """Stand by, serve, and stand by again when the lease is lost."""
        while True:
            try:
                async with office.held() as lease:
                    term = Term(settings, connection, clock, rng, lease=lease, task_key=task_key, in_office=ready.set)
                    await together([office.keep(lease), term.serve()])
            except LeaseLost:
                ready.clear()
                log.warning("out of office", extra={"shard": settings.shard})

    yield App(name=f"scheduler-{settings.shard}", loops={"terms": terms, "connection": connection.watch}, ready=ready)
