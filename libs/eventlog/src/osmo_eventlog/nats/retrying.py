"""Trying again until a deadline, with back-off and jitter (style P2). What may be tried again is Transient; all else is raised at once."""

import asyncio

from osmo_domain.errors import Transient
from osmo_eventlog.nats.errors import StreamFull
from osmo_eventlog.nats.link import Link


class Deadline:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._until = asyncio.get_running_loop().time() + link.deadline_s
        self._attempt = 0

    def left_s(self) -> float:
        return max(0.05, self._until - asyncio.get_running_loop().time())

    async def joined(self) -> None:
        await self._link.joined(self.left_s())

    async def again(self, failure: Exception, cause: Exception) -> None:
        """Returns when it is time for the next try; raises `failure` where there is none."""
        over = asyncio.get_running_loop().time() >= self._until
        if over or not isinstance(failure, Transient) or isinstance(failure, StreamFull) or self._link.closed.is_set():
            raise failure from cause
        await self._link.pause(self._attempt)
        self._attempt += 1
