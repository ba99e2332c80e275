"""The connection to log-router: made again for ever, and everything that was not stored is sent again."""

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

from osmo_api.ctrl import ENCODER, SUBPROTOCOL, TO_CTRL, Acked, Action, Barrier, Bye, Hello, ReportAcked, Welcome
from osmo_runtime.ctrl.outbox import Outbox
from osmo_runtime.ctrl.reports import Reports
from osmo_runtime.ctrl.websocket import Disconnected, WebSocket, connect
from osmo_runtime.pod import PodSpec

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 8.0
WELCOME_WITHIN_S = 15
PING_EVERY_S = 15
SILENCE_S = 50
BARRIER_AGAIN_S = 300
VERSION = "0.1.0"


@dataclass(frozen=True, slots=True)
class Address:
    url: str
    token: str
    restarts_by_router: bool = False


def address_of(spec: PodSpec) -> Address:
    path = f"/api/logger/workflow/{spec.workflow_id}/osmo_ctrl/{spec.task}/retry_id/{spec.retry_id}"
    return Address(spec.router_url.rstrip("/") + path, spec.token, spec.restarts_by_router)


class Link:
    """`on_action` is called for every action but the barrier's. `refused` is done, with the reason, once log-router said Bye."""

    def __init__(
        self,
        address: Address,
        outbox: Outbox,
        reports: Reports,
        rng: random.Random,
        *,
        on_connected: Callable[[], None],
        on_action: Callable[[Action], None],
    ) -> None:
        self._address = address
        self._outbox = outbox
        self._reports = reports
        self._rng = rng
        self._on_connected = on_connected
        self._on_action = on_action
        self._barrier: Barrier | None = None
        self._barrier_due = 0.0
        self._released = asyncio.Event()
        self.refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Keep a connection until refused; waits between attempts grow to 8 seconds, with equal jitter."""
        failures = 0
        while not self.refused.done():
            try:
                socket = await connect(self._address.url, subprotocol=SUBPROTOCOL, rng=self._rng)
                async with aclosing(_Closing(socket)):
                    await self._greet(socket)
                    failures = 0
                    await self._talk(socket)
            except Disconnected:
                ceiling = min(FIRST_DELAY_S * 2.0**failures, LONGEST_DELAY_S)
                failures += 1
                await asyncio.sleep(ceiling / 2 + self._rng.uniform(0, ceiling / 2))

    async def pass_barrier(self) -> None:
        """Ask until log-router says go to the latest `wait_at`."""
        while not self._released.is_set():
            await self._released.wait()
        self._barrier = None

    def wait_at(self, barrier: Barrier) -> None:
        """Say that this is what is waited for from now on."""
        self._barrier, self._barrier_due = barrier, 0.0
        self._released.clear()
        self._outbox.changed.set()

    async def all_stored(self) -> None:
        """Wait until log-router has stored the end marker and every report. Call after the outbox's end."""
        await self._outbox.ended.wait()
        await self._reports.stored.wait()

    async def _greet(self, socket: WebSocket) -> None:
        await socket.send(ENCODER.encode(Hello(self._address.token, VERSION, self._address.restarts_by_router)))
        try:
            async with asyncio.timeout(WELCOME_WITHIN_S):
                answer = TO_CTRL.decode(await socket.receive())
        except (TimeoutError, ValueError) as error:
            raise Disconnected(f"no welcome: {error}") from error
        if isinstance(answer, Bye):
            self._refuse(answer)
        if not isinstance(answer, Welcome):
            raise Disconnected(f"no welcome but {type(answer).__name__}")
        self._outbox.resume(answer.next_line)
        self._reports.resume(answer.next_report)
        self._barrier_due = 0.0
        self._on_connected()

    async def _talk(self, socket: WebSocket) -> None:
        """Send, receive and ping until the connection is over."""
        tasks = [asyncio.create_task(work) for work in (self._send(socket), self._receive(socket), _ping(socket))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, socket: WebSocket) -> None:
        while True:
            self._outbox.changed.clear()
            while (frame := self._next_frame()) is not None:
                await socket.send(frame)
            with suppress(TimeoutError):
                async with asyncio.timeout(BARRIER_AGAIN_S / 10):
                    await self._outbox.changed.wait()

    def _next_frame(self) -> bytes | None:
        """Reports first: they are few, and people wait for them."""
        now = asyncio.get_running_loop().time()
        if self._barrier is not None and now >= self._barrier_due:
            self._barrier_due = now + BARRIER_AGAIN_S
            return ENCODER.encode(self._barrier)
        return self._reports.next_frame() or self._outbox.next_frame()

    async def _receive(self, socket: WebSocket) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    text = await socket.receive()
                frame = TO_CTRL.decode(text)
            except TimeoutError as error:
                raise Disconnected("log-router is silent") from error
            except ValueError:
                continue  # from a newer log-router; nothing that is due to us is lost by not understanding it
            match frame:
                case Acked(next_line=next_line, ended=ended):
                    self._outbox.acked(next_line, ended)
                case ReportAcked(next_report=next_report):
                    self._reports.acked(next_report)
                case Action(action="barrier", restarts=restarts):
                    if self._barrier is not None and restarts == self._barrier.restarts:
                        self._released.set()
                case Action():
                    self._on_action(frame)
                case Bye():
                    self._refuse(frame)
                case Welcome():
                    pass

    def _refuse(self, bye: Bye) -> None:
        if not self.refused.done():
            self.refused.set_result(bye.reason)
        raise Disconnected(f"refused: {bye.reason}")


class _Closing:
    """A WebSocket whose close takes at most a second."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def aclose(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._socket.close(), 1)


async def _ping(socket: WebSocket) -> None:
    while True:
        await asyncio.sleep(PING_EVERY_S)
        await socket.ping()
