"""A log-router on the memory twin in virtual time, and a control container that resends what is not acknowledged."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest
from tests.simulation.virtual_time import VirtualClock, VirtualLoop, run_virtual

from osmo_api.ctrl import Acked, Bye, FromCtrl, Hello, Lines, Report, ReportAcked, ToCtrl, Welcome
from osmo_domain.commit import Commit, CommitCodec, encode_commit
from osmo_domain.logs import LogBatch
from osmo_domain.report import TaskReported
from osmo_domain.task_token import task_token
from osmo_eventlog import subjects
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.memory.faults import NO_FAULTS, Faults
from osmo_log_router.app import LogRouterApp, open_app
from osmo_log_router.attempt import Attempt
from osmo_log_router.over import SessionOver
from osmo_log_router.session import open_session
from osmo_log_router.settings import NO_SOCKET, LogRouterSettings

KEY = b"0123456789abcdef"
REPORTS: CommitCodec[TaskReported] = CommitCodec(TaskReported)


class World:
    """Everything of one test. Routers come and go; the log stays."""

    KEY = KEY

    def __init__(self, loop: VirtualLoop, seed: int, faults: Faults = NO_FAULTS) -> None:
        self.rng = random.Random(seed)
        self.clock = VirtualClock(loop)
        self.server = MemoryServer(self.clock, self.rng, faults)
        self.log = self.server.connect("test").log

    async def submit(self, workflow_id: str, shard: int = 0) -> None:
        """As much of a workflow as a log-router looks at: that its subject exists."""
        data = encode_commit(Commit(f"{workflow_id}/submitted", self.clock.now(), "test", []))
        await self.log.append(
            subjects.workflow(shard, workflow_id), data, message_id=f"{workflow_id}/submitted", expected=0
        )

    def router(self, name: str = "log-router", key: bytes | None = KEY) -> Any:
        settings = LogRouterSettings(log_router_port=NO_SOCKET)
        return open_app(settings, self.server.connect(name), self.clock, self.rng, key)

    async def batches(self, attempt: Attempt) -> list[LogBatch]:
        subject = subjects.log(attempt.workflow_id, attempt.task, attempt.retry_id)
        return [msgspec.json.decode(record.data, type=LogBatch) for record in await self.log.load(subject)]

    async def texts(self, attempt: Attempt) -> list[str]:
        """The stored lines, after a check that their positions have neither gap nor overlap."""
        texts: list[str] = []
        for batch in await self.batches(attempt):
            assert batch.first == len(texts), "positions of stored batches must join"
            texts += [line.text for line in batch.lines]
        return texts

    async def reports(self, attempt: Attempt, shard: int = 0) -> list[str]:
        records = await self.log.load(subjects.report(shard, attempt.workflow_id, attempt.task))
        facts = [fact for record in records for fact in REPORTS.decode(record.data).events]
        return [
            fact.phase.value for fact in facts if isinstance(fact, TaskReported) and fact.retry_id == attempt.retry_id
        ]


class Conversation:
    """One connection, held open by hand: `say` frames, look at what was `heard`."""

    def __init__(self) -> None:
        self.heard: list[ToCtrl] = []
        self._news = asyncio.Event()

    async def hear(self, frame: ToCtrl) -> None:
        self.heard.append(frame)
        self._news.set()

    async def until(self, condition: Callable[[list[ToCtrl]], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition(self.heard):
                self._news.clear()
                await self._news.wait()


class Ctrl:
    """Sends its lines and reports through whatever router is there, again and again, until all are acknowledged."""

    def __init__(self, attempt: Attempt, lines: Sequence[str], reports: Sequence[str], rng: random.Random) -> None:
        self.attempt = attempt
        self.lines = list(lines)
        self.reports = list(reports)
        self.connections = 0
        self._rng = rng
        self._acked = 0
        self._ended = False
        self._reports_acked = 0
        self.byes: list[str] = []

    @property
    def done(self) -> bool:
        return self._ended and self._reports_acked >= len(self.reports)

    async def connect(self, app: LogRouterApp, *, frames: int | None = None) -> None:
        """One connection; breaks after some frames if `frames` says so, else ends when all is acknowledged."""
        self.connections += 1
        acked = self._acked
        conversation = Conversation()
        token = task_token(KEY, self.attempt.workflow_id, self.attempt.task, self.attempt.retry_id)
        assert app.router is not None
        try:
            async with open_session(app.router, self.attempt, conversation.hear) as session:
                await session.receive(Hello(token, "1"))
                await conversation.until(bool)
                for number, frame in enumerate(self._frames(conversation.heard[0], acked)):
                    if number == frames:
                        return
                    await session.receive(frame)
                    await asyncio.sleep(self._rng.random() * 0.02)
                if frames is None:
                    await conversation.until(self._listen)
        except SessionOver:
            pass
        finally:
            self._listen(conversation.heard)

    def _listen(self, heard: Sequence[ToCtrl]) -> bool:
        for frame in heard:
            match frame:
                case Welcome():
                    self._reports_acked = max(self._reports_acked, frame.next_report)
                case Acked():
                    self._acked, self._ended = max(self._acked, frame.next_line), self._ended or frame.ended
                case ReportAcked():
                    self._reports_acked = max(self._reports_acked, frame.next_report)
                case Bye():
                    self.byes.append(frame.reason)
        return self.done

    def _frames(self, welcome: ToCtrl, acked: int) -> list[FromCtrl]:
        assert isinstance(welcome, Welcome)
        assert welcome.next_line >= acked, "what was acknowledged must be stored"
        frames: list[FromCtrl] = [
            Report(number, phase, 1_700_000_000_000 + number)
            for number, phase in enumerate(self.reports)
            if number >= welcome.next_report
        ]
        position = max(0, welcome.next_line - self._rng.choice((0, 0, 1, 5)))
        while position < len(self.lines):
            count = self._rng.randint(1, 40)
            part = self.lines[position : position + count]
            frames.append(Lines(position, [(1_700_000_000_000, "STDOUT", text) for text in part]))
            position += len(part)
        frames.append(Lines(len(self.lines), [], end=True))
        return frames


Run = Callable[..., Any]


@pytest.fixture
def run_world() -> Run:
    """`run_world(main, seed=..., faults=...)` runs `await main(world)` in virtual time."""

    def run(main: Callable[[World], Awaitable[Any]], *, seed: int = 1, faults: Faults = NO_FAULTS) -> Any:
        loop = VirtualLoop()

        async def whole() -> Any:
            return await main(World(loop, seed, faults))

        return run_virtual(whole(), loop)

    return run


@pytest.fixture
def make_ctrl() -> type[Ctrl]:
    return Ctrl


@pytest.fixture
def make_conversation() -> type[Conversation]:
    return Conversation
