"""One simulated process: an app that is opened, run, killed and started again, as a supervisor would."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from osmo_domain.errors import Transient
from osmo_eventlog.memory.connection import MemoryConnection
from osmo_eventlog.memory.link import Crashed
from osmo_service.lifecycle import App, run_app

log = logging.getLogger("simulation.process")

Opens = Callable[[MemoryConnection, int], AbstractAsyncContextManager[App]]
Connects = Callable[[str], MemoryConnection]


class SimulatedProcess:
    """`opens` composes the service on a fresh connection; the second argument counts lives from 0."""

    def __init__(self, name: str, connects: Connects, opens: Opens, *, restart_after_s: float = 0.5) -> None:
        self.name = name
        self.lives = 0
        self.unexpected: list[str] = []
        self.app: App | None = None
        self._connects = connects
        self._opens = opens
        self._restart_after_s = restart_after_s
        self._connection: MemoryConnection | None = None
        self._life: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Live, die, wait, live again, until cancelled."""
        while True:
            self._life = asyncio.create_task(self._live(), name=f"{self.name}.{self.lives}")
            try:
                await asyncio.shield(self._life)
            except asyncio.CancelledError:
                if not self._life.done():
                    self._life.cancel()
                    await asyncio.gather(self._life, return_exceptions=True)
                    raise
            except (Transient, Crashed) as ended:
                log.debug("died", extra={"app": self.name, "why": str(ended)})
            except Exception as bug:  # a bug in a service is a finding of the run, not the end of it
                self.unexpected.append(f"{self.name}: {bug!r}")
                log.debug("bug", exc_info=bug)
            await asyncio.sleep(self._restart_after_s)

    def kill(self) -> None:
        """As kill -9: what it had in hand is gone, and nothing that its dying code tries reaches anybody."""
        if self._connection is not None:
            self._connection.crash()
        if self._life is not None:
            self._life.cancel()

    def cut(self) -> None:
        if self._connection is not None:
            self._connection.cut()

    def heal(self) -> None:
        if self._connection is not None:
            self._connection.heal()

    async def _live(self) -> None:
        life, self.lives = self.lives, self.lives + 1
        self._connection = self._connects(self.name)
        async with self._opens(self._connection, life) as app:
            self.app = app
            await run_app(app, asyncio.Event())
