"""What lies between one client and the server: it can be cut and healed, and the client at its end can crash."""

import asyncio

from osmo_domain.errors import Transient
from osmo_eventlog.memory.faults import Faults, Operation


class Crashed(RuntimeError):
    """The client of this connection has crashed: nothing that it still tries has any effect."""


class Link:
    def __init__(self, client: str, faults: Faults, deadline_s: float) -> None:
        self.client = client
        self.crashed = asyncio.Event()
        self._faults = faults
        self._deadline_s = deadline_s
        self._joined = asyncio.Event()
        self._joined.set()

    def cut(self) -> None:
        self._joined.clear()

    def heal(self) -> None:
        self._joined.set()

    def crash(self) -> None:
        self.crashed.set()
        self._joined.set()

    async def reach(self, operation: Operation, subject: str) -> None:
        """The way to the server. Transient when the link stays cut for longer than the deadline."""
        self._live()
        await asyncio.sleep(0)  # as a network does, let others go first
        await self._faults.before(self.client, operation, subject)
        if not self._joined.is_set():
            try:
                await asyncio.wait_for(self._joined.wait(), self._deadline_s)
            except TimeoutError as error:
                raise Transient(f"{self.client}: no connection to the log for {self._deadline_s} s") from error
        self._live()

    async def answer(self, operation: Operation, subject: str) -> None:
        """The way back. Transient when the answer is lost; what was done stands."""
        await self._faults.after(self.client, operation, subject)
        self._live()
        if not self._joined.is_set():
            raise Transient(f"{self.client}: the connection was cut before the answer to {operation} {subject}")

    async def receive(self, operation: Operation, subject: str) -> None:
        """What the server pushes arrives once the link is joined; faults delay it, and never lose it."""
        while True:
            try:
                await self._faults.before(self.client, operation, subject)
            except Transient as error:
                await asyncio.sleep(error.delay_s)
                continue
            await self._joined.wait()
            self._live()
            return

    def strays(self, operation: Operation, subject: str) -> list[float]:
        return list(self._faults.strays(self.client, operation, subject))

    def _live(self) -> None:
        if self.crashed.is_set():
            raise Crashed(self.client)
