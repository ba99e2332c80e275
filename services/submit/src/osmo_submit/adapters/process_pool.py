"""Renders in worker processes, a few at a time. A worker that is too slow, too large or dead is replaced; nobody waits for it for ever."""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from osmo_domain.errors import Rejected, Transient
from osmo_domain.spec.sections import Sections
from osmo_submit.adapters.worker_wire import (
    ANSWERS,
    ENCODER,
    LENGTH_BYTES,
    RenderAnswer,
    Rendered,
    RenderRefused,
    RenderRequest,
    Traced,
    frame,
)

_START_WITHIN_S: Final = 20.0
_MOST_ANSWER_BYTES: Final = 256 * 1024 * 1024
_PROGRAM: Final = "osmo_submit.adapters.worker_program"


class _WorkerDied(Exception):
    """The worker ended in the middle of a request."""


class _Worker:
    """One process. One request at a time; after any failure it is killed and not used again."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, seconds: float, memory_bytes: int) -> "_Worker":
        """A worker that is ready to render. Transient where none can be had."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-m", _PROGRAM, str(seconds), str(memory_bytes), stdin=PIPE, stdout=PIPE, env={}
            )
        except OSError as error:
            raise Transient(f"no render worker can be started: {error}") from error
        worker = cls(process)
        try:
            async with asyncio.timeout(_START_WITHIN_S):
                await worker._read()
        except BaseException as error:
            await worker.kill()
            if isinstance(error, TimeoutError | _WorkerDied):
                raise Transient("a render worker did not start") from error
            raise
        return worker

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, body: bytes) -> bytes:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(frame(body))
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _WorkerDied from error
        return await self._read()

    async def _read(self) -> bytes:
        assert self._process.stdout is not None
        try:
            length = int.from_bytes(await self._process.stdout.readexactly(LENGTH_BYTES), "big")
            if length > _MOST_ANSWER_BYTES:
                raise _WorkerDied
            return await self._process.stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionResetError) as error:
            raise _WorkerDied from error

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    @property
    def used_up_its_time(self) -> bool:
        return self._process.returncode == -signal.SIGPROF


class ProcessPoolRenderer:
    """Opened with `open_renderer`. Workers start when they are needed first."""

    def __init__(self, workers: int, seconds: float, memory_bytes: int) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._slots: asyncio.LifoQueue[_Worker | None] = asyncio.LifoQueue()
        self._count = workers
        for _ in range(workers):
            self._slots.put_nowait(None)

    async def render(
        self, sections: Sections, set_variables: Sequence[str], set_string_variables: Sequence[str]
    ) -> str:
        answer = await self._ask(RenderRequest(sections, tuple(set_variables), tuple(set_string_variables)))
        if not isinstance(answer, Rendered):
            raise Transient(f"a render worker answered {type(answer).__name__}")
        return answer.text

    async def trace(
        self, sections: Sections, set_variables: Sequence[str], set_string_variables: Sequence[str]
    ) -> list[int]:
        answer = await self._ask(RenderRequest(sections, tuple(set_variables), tuple(set_string_variables), trace=True))
        if not isinstance(answer, Traced):
            raise Transient(f"a render worker answered {type(answer).__name__}")
        return answer.lines

    async def close(self) -> None:
        """Kill every worker, when nobody asks any more."""
        for _ in range(self._count):
            worker = await self._slots.get()
            if worker is not None:
                await worker.kill()

    async def _ask(self, request: RenderRequest) -> Rendered | Traced:
        body = ENCODER.encode(request)
        try:
            answer = await self._try(body)
        except _WorkerDied:
            answer = await self._try_again(body)
        if isinstance(answer, RenderRefused):
            raise answer.rejected()
        return answer

    async def _try_again(self, body: bytes) -> RenderAnswer:
        """A worker that dies may have been dying before; when the next one dies too, it is the template."""
        try:
            return await self._try(body)
        except _WorkerDied as error:
            raise _limits("it ended its worker (too much memory, or too deeply nested)") from error

    async def _try(self, body: bytes) -> RenderAnswer:
        """The worker's own CPU timer is the limit; the deadline on the wall is for one that is stuck without working."""
        async with self._worker() as worker:
            try:
                async with asyncio.timeout(self._seconds * 4 + 1):
                    answer = ANSWERS.decode(await worker.ask(body))
            except TimeoutError as error:
                raise _limits(f"it needs more than {self._seconds:g} s") from error
            except msgspec.DecodeError as error:
                raise _limits("its worker answered nonsense") from error
            except _WorkerDied:
                await worker.kill()
                if worker.used_up_its_time:
                    raise _limits(f"it needs more than {self._seconds:g} s") from None
                raise
            if isinstance(answer, RenderRefused) and answer.code == "template.limits":
                await worker.kill()
            return answer

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        """A worker of one's own, for one request. One that was left in the middle (an error, a cancellation) is not kept."""
        worker = await self._slots.get()
        try:
            if worker is None or not worker.alive:
                worker = None
                worker = await _Worker.start(self._seconds, self._memory_bytes)
            yield worker
        except BaseException:
            if worker is not None:
                await worker.kill()
                worker = None
            raise
        finally:
            self._slots.put_nowait(worker)


def _limits(why: str) -> Rejected:
    return Rejected("template.limits", f"The template was stopped: {why}.", error_code="USAGE")


@asynccontextmanager
async def open_renderer(workers: int, seconds: float, memory_bytes: int) -> AsyncIterator[ProcessPoolRenderer]:
    renderer = ProcessPoolRenderer(workers, seconds, memory_bytes)
    try:
        yield renderer
    finally:
        await renderer.close()
