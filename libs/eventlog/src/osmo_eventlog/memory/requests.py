"""Request and reply in memory: each question goes to one of the replicas, chosen by the server's seed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from osmo_domain.errors import Transient
from osmo_eventlog.matching import matches
from osmo_eventlog.memory.link import Link
from osmo_eventlog.memory.state import ServerState
from osmo_eventlog.ports import Handler, SubjectHandler


class Replica:
    """One place that answers a subject. Handlers run in tasks of their own, which end with the replica."""

    def __init__(self, name: str, handler: SubjectHandler, concurrency: int, link: Link) -> None:
        self._name = name
        self._handler = handler
        self._room = asyncio.Semaphore(concurrency)
        self._link = link
        self._under_way: dict[asyncio.Task[bytes], None] = {}

    def reachable(self) -> bool:
        return not self._link.crashed.is_set()

    async def ask(self, subject: str, data: bytes) -> bytes:
        """The handler's answer. The handler goes on when the asker gives up; a replica that crashes never answers."""
        task = asyncio.create_task(self._answer(subject, data), name=f"{self._name}.answer")
        self._under_way[task] = None
        task.add_done_callback(self._over)
        await asyncio.wait([task])
        if task.cancelled():
            await asyncio.Event().wait()
        return task.result()

    async def drain(self) -> None:
        while self._under_way:
            await asyncio.wait(list(self._under_way))

    def kill(self) -> None:
        for task in list(self._under_way):
            task.cancel()

    async def _answer(self, subject: str, data: bytes) -> bytes:
        async with self._room:
            return await self._handler(subject, data)

    def _over(self, task: asyncio.Task[bytes]) -> None:
        self._under_way.pop(task, None)
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not complain when the asker has left


class MemoryRequests:
    def __init__(self, state: ServerState, link: Link) -> None:
        self._state = state
        self._link = link

    async def ask(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                await self._link.reach("ask", subject)
                reply = await self._asked(subject, data)
                await self._link.answer("ask", subject)
                return reply
        except TimeoutError as error:
            raise Transient(f"{subject}: no answer within {timeout_s} s") from error

    def serve(
        self, name: str, subject: str, handler: Handler, *, concurrency: int = 64
    ) -> AbstractAsyncContextManager[None]:
        return self._serving(subject, Replica(name, lambda _, data: handler(data), concurrency, self._link))

    def serve_each(
        self, name: str, pattern: str, handler: SubjectHandler, *, concurrency: int = 64
    ) -> AbstractAsyncContextManager[None]:
        return self._serving(pattern, Replica(name, handler, concurrency, self._link))

    async def _asked(self, subject: str, data: bytes) -> bytes:
        replicas = [
            replica
            for pattern, serving in self._state.replicas.items()
            if matches(pattern, subject)
            for replica in serving
            if replica.reachable()
        ]
        if not replicas:
            raise Transient(f"{subject}: nobody serves it")
        replica = self._state.rng.choice(replicas)
        try:
            return await replica.ask(subject, data)
        except Exception as error:  # whatever a handler raises stays on its side, as over a network
            raise Transient(f"{subject}: the service failed to answer") from error

    @contextlib.asynccontextmanager
    async def _serving(self, subject: str, replica: Replica) -> AsyncIterator[None]:
        replicas = self._state.replicas.setdefault(subject, [])
        replicas.append(replica)
        try:
            yield
        finally:
            replicas.remove(replica)
            await replica.drain()
