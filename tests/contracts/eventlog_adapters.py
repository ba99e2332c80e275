"""The two adapters of the event log behind one face, with the harm that the contract suite does to each."""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from osmo_domain.errors import Transient
from osmo_eventlog.memory import MemoryConnection, MemoryServer, NoFaults, Operation
from osmo_eventlog.nats import apply_streams, connect
from osmo_eventlog.ports import Connection
from osmo_eventlog.streams import STREAMS, StreamSpec


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class LostAnswers(NoFaults):
    """One answer to an append in five never arrives; what it did stands."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def after(self, client: str, operation: Operation, subject: str) -> None:
        if operation == "append" and self._rng.random() < 0.2:
            raise Transient(f"{client}: the answer to {operation} {subject} is lost")


class Adapter(Protocol):
    """`connect` may be called many times; `lossy` connects in a way that loses every fifth acknowledgement of an append."""

    def connect(self, name: str) -> AbstractAsyncContextManager[Connection]: ...

    def lossy(self, name: str) -> AbstractAsyncContextManager[Connection]: ...

    async def interrupt(self) -> None:
        """Cut every connection for a moment."""
        ...

    async def cut(self) -> None: ...


class MemoryAdapter:
    def __init__(self, streams: Sequence[StreamSpec] = STREAMS) -> None:
        self._faults: Any = NoFaults()
        self._server = MemoryServer(RealClock(), random.Random(1), self, streams=streams, deadline_s=0.3)
        self._connections: list[MemoryConnection] = []

    @contextlib.asynccontextmanager
    async def connect(self, name: str) -> AsyncIterator[Connection]:
        connection = self._server.connect(name)
        self._connections.append(connection)
        yield connection

    @contextlib.asynccontextmanager
    async def lossy(self, name: str) -> AsyncIterator[Connection]:
        self._faults = LostAnswers(random.Random(2))
        async with self.connect(name) as connection:
            yield connection

    async def interrupt(self) -> None:
        await self.cut()
        await asyncio.sleep(0.05)
        for connection in self._connections:
            connection.heal()

    async def cut(self) -> None:
        for connection in self._connections:
            connection.cut()

    async def before(self, client: str, operation: Operation, subject: str) -> None:
        await self._faults.before(client, operation, subject)

    async def after(self, client: str, operation: Operation, subject: str) -> None:
        await self._faults.after(client, operation, subject)

    def strays(self, client: str, operation: Operation, subject: str) -> Sequence[float]:
        return self._faults.strays(client, operation, subject)  # type: ignore[no-any-return]


class NatsAdapter:
    def __init__(self, server: Any, streams: Sequence[StreamSpec] = STREAMS) -> None:
        self.server = server
        self._streams = streams

    async def prepare(self) -> "NatsAdapter":
        async with connect(self.server.url, name="setup", rng=random.Random(1), streams=self._streams) as connection:
            await apply_streams(connection, self._streams)
        return self

    def connect(self, name: str) -> AbstractAsyncContextManager[Connection]:
        return self._connected(self.server.url, name)

    @contextlib.asynccontextmanager
    async def lossy(self, name: str) -> AsyncIterator[Connection]:
        async with (
            lossy_proxy(self.server.url, random.Random(name)) as url,
            self._connected(url, name, attempt_s=0.1) as connection,
        ):
            yield connection

    async def interrupt(self) -> None:
        self.server.kill()
        self.server.start()

    async def cut(self) -> None:
        self.server.stop()

    @contextlib.asynccontextmanager
    async def _connected(self, url: str, name: str, *, attempt_s: float = 2.0) -> AsyncIterator[Connection]:
        async with connect(
            url, name=name, rng=random.Random(name), streams=self._streams, deadline_s=5, attempt_s=attempt_s
        ) as connection:
            yield connection


@contextlib.asynccontextmanager
async def lossy_proxy(url: str, rng: random.Random) -> AsyncIterator[str]:
    """A TCP proxy in front of a NATS server that swallows one publish acknowledgement in five."""
    target = urlsplit(url)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inward, outward = await asyncio.open_connection(target.hostname, target.port)
        pumps = [asyncio.create_task(_pump(reader, outward)), asyncio.create_task(_pump_lossy(inward, writer, rng))]
        tasks.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, outward):
            each.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        sink.write(chunk)
        await sink.drain()


async def _pump_lossy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, rng: random.Random) -> None:
    """Frame by frame: `MSG subject sid [reply] bytes` or `HMSG subject sid [reply] header-bytes bytes`, then the bytes."""
    while line := await source.readline():
        frame = line
        if line.startswith((b"MSG ", b"HMSG ")):
            frame += await source.readexactly(int(line.split()[-1]) + 2)
        is_acknowledgement = re.match(rb'MSG [^\r]*\r\n\{"stream":', frame) is not None
        if not (is_acknowledgement and rng.random() < 0.2):
            sink.write(frame)
            await sink.drain()
