"""A log-router for tests: speaks osmo_api.ctrl, keeps what it is sent in memory, and can go away and come back on the same port."""

import asyncio
import random
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from osmo_api.ctrl import (
    ENCODER,
    FROM_CTRL,
    SUBPROTOCOL,
    Acked,
    Action,
    Barrier,
    Bye,
    Hello,
    Lines,
    Report,
    ReportAcked,
    ToCtrl,
    Welcome,
)

Attempt = tuple[str, str, int]


@dataclass
class Stored:
    """What is stored of one attempt."""

    lines: list[tuple[int, str, str]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    dropped: int = 0
    ended: bool = False
    hellos: list[Hello] = field(default_factory=list)
    barriers: int = 0

    def texts(self, *sources: str) -> list[str]:
        return [text for _, source, text in self.lines if not sources or source in sources]

    @property
    def phases(self) -> list[str]:
        return [report.phase for report in self.reports]

    @property
    def steps(self) -> list[str]:
        """In their order. Without CONNECTED: that is said when the connection is there, which a short command does not wait for."""
        return [phase for phase in self.phases if phase != "CONNECTED"]


class FakeLogRouter:
    """`refuse` is the reason with which every control container is sent away; `open_barrier` lets every one of them pass."""

    def __init__(self) -> None:
        self.stored: dict[Attempt, Stored] = {}
        self.refuse = ""
        self.open_barrier = True
        self.acknowledge = True
        self.tear_after_frames: random.Random | None = None
        self.port = 0
        self.sockets: dict[Attempt, web.WebSocketResponse] = {}
        self.changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, workflow: str, task: str, retry_id: int = 0) -> Stored:
        return self.stored.setdefault((workflow, task, retry_id), Stored())

    @property
    def running(self) -> bool:
        return self._runner is not None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/logger/workflow/{workflow}/osmo_ctrl/{task}/retry_id/{retry}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        self._runner = None

    async def act(self, attempt: Attempt, action: Action) -> None:
        await _send(self.sockets[attempt], action)

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        attempt = (request.match_info["workflow"], request.match_info["task"], int(request.match_info["retry"]))
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), max_msg_size=16 << 20)
        await socket.prepare(request)
        stored = self.of(*attempt)
        self.sockets[attempt] = socket
        frames = 0
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frames += 1
            if self.tear_after_frames is not None and frames > 2 and self.tear_after_frames.random() < 0.2:
                assert request.transport is not None
                request.transport.abort()
                break
            answer = self._store(stored, FROM_CTRL.decode(message.data))
            async with self.changed:
                self.changed.notify_all()
            if answer is not None and not socket.closed:
                await _send(socket, answer)
        return socket

    def _store(self, stored: Stored, frame: object) -> ToCtrl | None:
        match frame:
            case Hello():
                stored.hellos.append(frame)
                return Bye(self.refuse) if self.refuse else Welcome(len(stored.lines), len(stored.reports))
            case Lines():
                new = frame.lines[max(0, len(stored.lines) - frame.first) :]
                assert frame.first <= len(stored.lines), "a gap in the positions"
                stored.lines.extend(new)
                stored.dropped += frame.dropped if new else 0
                stored.ended = stored.ended or frame.end
                return Acked(len(stored.lines), stored.ended) if self.acknowledge else None
            case Report():
                if frame.number == len(stored.reports):
                    stored.reports.append(frame)
                return ReportAcked(len(stored.reports))
            case Barrier():
                stored.barriers += 1
                return Action("barrier", restarts=frame.restarts) if self.open_barrier else None
        raise AssertionError(frame)


async def _send(socket: web.WebSocketResponse, frame: ToCtrl) -> None:
    await socket.send_str(ENCODER.encode(frame).decode())
