"""A TCP link that can be cut: what connects to `port` is connected to the target, while the link is whole."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TcpProxy:
    """`cut` ends every connection and refuses new ones until `heal`. `silence` keeps connections open and lets nothing through: as a
    broken path does it, of which neither end is told."""

    def __init__(self, host: str, target_host: str, target_port: int) -> None:
        self.host = host
        self.port = 0
        self.connections = 0
        self._target = (target_host, target_port)
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def heal(self) -> None:
        self._open.set()
        if self._server is None:
            await self.start()

    def silence(self) -> None:
        self._open.clear()

    async def close(self) -> None:
        await self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            inward, outward = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(outward)
        pumps = [asyncio.create_task(self._pump(*pair)) for pair in ((reader, outward), (inward, writer))]
        self._pumps.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, outward):
            each.transport.abort()
            self._writers.discard(each)
        self._pumps.difference_update(pumps)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(1 << 16):
                await self._open.wait()
                sink.write(chunk)
                await sink.drain()


@asynccontextmanager
async def tcp_proxy(
    target_port: int, *, host: str = "127.0.0.1", target_host: str = "127.0.0.1"
) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(host, target_host, target_port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
