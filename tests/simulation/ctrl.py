"""A simulated control container: it keeps every line until a log-router acknowledged it, whatever happens to routers meanwhile."""

import asyncio
import contextlib
import random
from collections.abc import Callable

from osmo_api.ctrl import Acked, Hello, Lines, ToCtrl, Welcome
from osmo_domain.errors import Transient
from osmo_domain.logs import LineSource
from osmo_eventlog.memory.link import Crashed
from osmo_log_router.attempt import Attempt
from osmo_log_router.over import Refused
from osmo_log_router.router import Router
from osmo_log_router.session import open_session

FRAME = 20
"""Lines in one frame."""


class SimulatedCtrl:
    """`lines` is what the task printed; `done` when the end marker is acknowledged."""

    def __init__(self, attempt: Attempt, token: str, lines: list[str], rng: random.Random) -> None:
        self.attempt = attempt
        self.lines = lines
        self.done = False
        self._token = token
        self._rng = rng

    async def run(self, router: Callable[[], Router | None]) -> None:
        """Dial whichever router is up until everything is stored."""
        while not self.done:
            now = router()
            if now is not None:
                with contextlib.suppress(Transient, Crashed, Refused, TimeoutError, ConnectionError):
                    await self._one_connection(now)
            await asyncio.sleep(0.2 + self._rng.random())

    async def _one_connection(self, router: Router) -> None:
        """Until the end is stored, or until nothing has been heard for a while."""
        heard: asyncio.Queue[ToCtrl] = asyncio.Queue()

        async def hear(frame: ToCtrl) -> None:
            heard.put_nowait(frame)

        async with asyncio.timeout(30 + 30 * self._rng.random()), open_session(router, self.attempt, hear) as session:
            await session.receive(Hello(token=self._token, version="simulated"))
            welcome = await heard.get()
            if not isinstance(welcome, Welcome):
                return
            for frame in self._frames(welcome.next_line):
                await session.receive(frame)
            while not self.done:
                answer = await heard.get()
                self.done = isinstance(answer, Acked) and answer.ended

    def _frames(self, first: int) -> list[Lines]:
        frames = []
        for start in range(first, len(self.lines), FRAME):
            texts = self.lines[start : start + FRAME]
            frames.append(Lines(first=start, lines=[(0, LineSource.STDOUT.value, text) for text in texts]))
        return [*frames, Lines(first=max(first, len(self.lines)), lines=[], end=True)]
