"""The life of a process, the same for all services (style 3.8): open, catch up, ready, run root loops, stop in reverse.

A service's `app.py` offers `async def open_app(...)` as an async context manager that yields an `App`: the named root loops, and nothing that
runs yet. `run_app` runs them until a stop is asked for or one of them ends. A root loop that returns is a fault, as in kopf.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from osmo_service.health import HealthSettings, open_health
from osmo_service.memory import allocator_trim, give_back_memory

log = logging.getLogger("osmo.lifecycle")

GC_THRESHOLDS = (10_000, 20, 10)
"""Cycles are few and small here, and most of what a service makes is gone at the end of a request: looking for cycles every 700 objects costs more
than it finds."""

RootLoop = Callable[[], Awaitable[None]]


@dataclass
class App:
    """The loops of one service. `ready` is set by the service itself, once it has caught up."""

    name: str
    loops: Mapping[str, RootLoop]
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class RootLoopEnded(RuntimeError):
    """A root loop returned, which it never should."""


async def run_app(app: App, stop: asyncio.Event, *, on_ready: Callable[[], None] | None = None) -> None:
    """Run every root loop until `stop` is set; a loop that fails or returns ends all and is raised."""

    async def guard(name: str, loop: RootLoop) -> None:
        await loop()
        raise RootLoopEnded(f"{app.name}: root loop {name} returned")

    async def announce() -> None:
        await app.ready.wait()
        if on_ready is not None:
            on_ready()

    tasks = [asyncio.create_task(guard(name, loop), name=f"{app.name}.{name}") for name, loop in app.loops.items()]
    announcing = asyncio.create_task(announce(), name=f"{app.name}.announce")
    stopping = asyncio.create_task(stop.wait(), name=f"{app.name}.stop")
    try:
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in done if task is not stopping]
        for task in failed:
            task.result()
    finally:
        everyone = [*tasks, announcing, stopping]
        for task in everyone:
            task.cancel()
        await asyncio.gather(*everyone, return_exceptions=True)


async def serve_until_signal(
    opened: AbstractAsyncContextManager[App],
    *,
    ready_fd: int | None = None,
    health: HealthSettings | None = None,
    hard_exit_s: float = 20,
) -> None:
    """The whole life of one process: open the app, run it, stop on SIGTERM or SIGINT, also while it opens; a shutdown that hangs is cut
    after `hard_exit_s`.

    When the app is ready, one line `ready` is written to `ready_fd` (how `osmo up` knows). `health` is answered from before the app is opened:
    opening waits for its servers, however long that takes.
    """
    loop = asyncio.get_running_loop()
    stop, opening = asyncio.Event(), True
    this = asyncio.current_task()
    assert this is not None

    def ask_to_stop() -> None:
        loop.call_later(hard_exit_s, os._exit, 70)
        if opening and not stop.is_set():
            this.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop)

    def tell_ready() -> None:
        if ready_fd is not None:
            with contextlib.suppress(OSError):
                os.write(ready_fd, b"ready\n")
                os.close(ready_fd)

    try:
        async with open_health(health or HealthSettings()) as answers, opened as app:
            opening = False
            answers.is_ready = app.ready.is_set
            log.info("starting", extra={"service": app.name})
            async with _giving_back_memory():
                await run_app(app, stop, on_ready=tell_ready)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        log.info("stopped before it was open")


@contextlib.asynccontextmanager
async def _giving_back_memory() -> AsyncIterator[None]:
    trim = allocator_trim()
    giving = asyncio.create_task(give_back_memory(trim, time.process_time)) if trim is not None else None
    try:
        yield
    finally:
        if giving is not None:
            giving.cancel()


def run(
    opened: AbstractAsyncContextManager[App], *, ready_fd: int | None = None, health: HealthSettings | None = None
) -> None:
    """Run a service in this process under uvloop until it is told to stop."""
    import uvloop

    gc.set_threshold(*GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_until_signal(opened, ready_fd=ready_fd, health=health))
