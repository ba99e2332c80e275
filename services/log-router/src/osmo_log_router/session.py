"""One control container's conversation, whatever carries it: frames in by `receive`, frames out by the `send` it was given.

The transport promises order within one conversation, nothing else: it may break at any frame, and the control container begins again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from osmo_api.ctrl import FROM_CTRL, Barrier, Bye, FromCtrl, Hello, Lines, Report, ToCtrl, Welcome
from osmo_log_router.attempt import Attempt
from osmo_log_router.barriers import Waiting
from osmo_log_router.lines import LineStore
from osmo_log_router.over import OutOfStep, Refused
from osmo_log_router.reports import ReportStore
from osmo_log_router.restarts import serve_restarts
from osmo_log_router.router import Router

Send = Callable[[ToCtrl], Awaitable[None]]


class Session:
    """Use within `open_session`. `receive` returns when the next frame may be read: slow storage slows the sender, and memory stays bounded."""

    def __init__(self, router: Router, attempt: Attempt, send: Send, pumps: asyncio.TaskGroup) -> None:
        self._router = router
        self._attempt = attempt
        self._send = send
        self._pumps = pumps
        self._running: list[asyncio.Task[None]] = []
        self._shard = 0
        self._lines: LineStore | None = None
        self._reports: ReportStore | None = None

    async def receive_raw(self, data: bytes) -> None:
        """`receive` for a frame as it came over the wire."""
        try:
            frame = FROM_CTRL.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused = Refused(f"frame not understood: {error}")
            await self._send(Bye(refused.reason))
            raise refused from error
        await self.receive(frame)

    async def receive(self, frame: FromCtrl) -> None:
        """Raises SessionOver when the conversation cannot go on; where coming back is no use, Bye was sent before."""
        try:
            await self._receive(frame)
        except Refused as refused:
            await self._send(Bye(refused.reason))
            raise

    async def _receive(self, frame: FromCtrl) -> None:
        if isinstance(frame, Hello):
            await self._welcome(frame)
            return
        if self._lines is None or self._reports is None:
            raise Refused("the first frame must be hello")
        match frame:
            case Lines():
                await self._add(self._lines, frame)
            case Report():
                await self._reports.add(frame)
            case Barrier():
                self._router.barriers.wait(Waiting(self._attempt, frame, self._send), self._shard)

    async def _welcome(self, hello: Hello) -> None:
        if self._lines is not None:
            raise Refused("hello was said already")
        shard = self._shard = await self._router.admit(self._attempt, hello.token)
        router = self._router
        lines = LineStore(router.log, self._attempt, router.rng, router.line_room, self._send)
        reports = ReportStore(router.log, self._attempt, shard, router.clock, router.rng, self._send)
        next_line, next_report = await lines.open(), await reports.open()
        self._lines, self._reports = lines, reports
        router.line_room.enter()
        await self._send(Welcome(next_line, next_report))
        self._running = [self._pumps.create_task(lines.run()), self._pumps.create_task(reports.run())]
        if hello.restarts_by_router:
            restarts = serve_restarts(router.requests, self._attempt, hello.token, self._send)
            self._running.append(self._pumps.create_task(restarts))

    async def _add(self, lines: LineStore, frame: Lines) -> None:
        try:
            await lines.add(frame)
        except OutOfStep as gap:
            if not self._router.gaps.seen_before(self._attempt, gap.reason):
                raise
            await lines.add(frame, lost_before=True)

    def end(self) -> None:
        """What was not stored is forgotten here: its sender keeps it."""
        self._router.barriers.leave(self._attempt, self._send)
        if self._lines is not None:
            self._router.line_room.leave()
        for pump in self._running:
            pump.cancel()


@contextlib.asynccontextmanager
async def open_session(router: Router, attempt: Attempt, send: Send) -> AsyncIterator[Session]:
    """A session for as long as its connection lasts. What goes wrong in storing ends the body and is raised here."""
    try:
        async with asyncio.TaskGroup() as pumps:
            session = Session(router, attempt, send, pumps)
            try:
                yield session
            finally:
                session.end()
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
