"""Questions and answers through the NATS services API: every service can be found and asked for its statistics (`nats micro ls`)."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from nats.micro import add_service
from nats.micro.request import ERROR_HEADER, Request

from osmo_domain.errors import Transient
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.names import as_token
from osmo_eventlog.ports import Handler, SubjectHandler

log = logging.getLogger("osmo.eventlog.nats")

_VERSION = "1.0.0"


class NatsRequests:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def ask(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        try:
            reply = await self._link.asking.ask(subject, data, timeout_s=timeout_s)
        except LIBRARY_ERRORS as error:
            raise translate(error, f"question to {subject}") from error
        if reply.headers and ERROR_HEADER in reply.headers:
            raise Transient(f"{subject}: the service failed to answer: {reply.headers[ERROR_HEADER]}")
        return reply.data

    def serve(
        self, name: str, subject: str, handler: Handler, *, concurrency: int = 64
    ) -> AbstractAsyncContextManager[None]:
        return self._serving(name, subject, Answering(name, lambda _, data: handler(data), concurrency))

    def serve_each(
        self, name: str, pattern: str, handler: SubjectHandler, *, concurrency: int = 64
    ) -> AbstractAsyncContextManager[None]:
        return self._serving(name, pattern, Answering(name, handler, concurrency))

    @contextlib.asynccontextmanager
    async def _serving(self, name: str, subject: str, answering: "Answering") -> AsyncIterator[None]:
        try:
            service = await add_service(self._link.client, name=as_token(name).replace("=", "_"), version=_VERSION)
            await service.add_endpoint(name="ask", subject=subject, handler=answering.on_request)
            # A flush that is cancelled makes nats-py's reading end for good at the next PONG: it is never cancelled.
            await asyncio.shield(self._link.client.flush())
        except LIBRARY_ERRORS as error:
            raise translate(error, f"serve {subject}") from error
        try:
            yield
        finally:
            with contextlib.suppress(*LIBRARY_ERRORS):
                await service.stop()
            await answering.finish()


class Answering:
    """Runs the handler for each question, at most `concurrency` at once; further questions wait in their order."""

    def __init__(self, name: str, handler: SubjectHandler, concurrency: int) -> None:
        self._name = name
        self._handler = handler
        self._room = asyncio.Semaphore(concurrency)
        self._under_way: set[asyncio.Task[None]] = set()

    async def on_request(self, request: Request) -> None:
        await self._room.acquire()
        task = asyncio.create_task(self._answer(request), name=f"{self._name}.answer")
        self._under_way.add(task)
        task.add_done_callback(self._over)

    async def finish(self) -> None:
        """Returns when everything under way has been answered."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _answer(self, request: Request) -> None:
        try:
            answer = await self._handler(request.subject, request.data)
            await request.respond(answer)
        except Exception as error:  # whatever a handler raises, the asker hears of it at once and the service goes on
            log.exception("a question was not answered", extra={"service": self._name})
            with contextlib.suppress(*LIBRARY_ERRORS):
                await request.respond_error("500", type(error).__name__)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.release()
