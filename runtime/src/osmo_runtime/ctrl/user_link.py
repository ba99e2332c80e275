"""ctrl's end of the Unix socket: lines come in, the command's start and stop go out."""

import asyncio
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from osmo_runtime import messages
from osmo_runtime.paths import socket_address

LONGEST_MESSAGE = 1 << 20
"""A read of 64 KiB, each byte of which JSON may have to write with six."""


class _FromUser(msgspec.Struct, rename="pascal", omit_defaults=True):
    type: str = ""
    message_out: str = ""
    message_err: str = ""
    message_ops: str = ""
    exit_code: int | None = None
    cut: int = 0
    told_to_end: int = 0


_DECODER = msgspec.json.Decoder(_FromUser)
_SOURCES = {messages.MESSAGE_OUT: "STDOUT", messages.MESSAGE_ERR: "STDERR", messages.MESSAGE_OPS: "OSMO_CTRL"}

OnLines = Callable[[str, list[str], bool], None]


class UserLink:
    """One user container. `on_lines` is told source and lines, as they come, and whether the last is a piece of a line that goes on."""

    def __init__(self, on_lines: OnLines) -> None:
        self._on_lines = on_lines
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._stopped = asyncio.Event()
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """Done with the command's exit code, or with None where the user container vanished without one."""
        self.told_to_end = False
        """The command ended after its container was told to."""
        self.hung_up = asyncio.Event()

    async def listen(self, path: Path) -> asyncio.Server:
        """Open the socket; the first connection is the user container's. It stays when we end: one that refuses tells a late user container so."""
        stays: Any = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
        return await asyncio.start_unix_server(self._serve, sock=_bound(path), limit=LONGEST_MESSAGE, **stays)

    async def connected(self, *, within_s: float) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            await self._connected.wait()

    async def send(self, kind: str, **fields: str) -> None:
        """Harmless when nobody is there."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.write(messages.encode(kind, **fields))
                await self._writer.drain()

    async def stop(self) -> bool:
        """Have the command killed, until it is told to start again; False where it ended by itself before that."""
        self._stopped.clear()
        await self.send(messages.USER_STOP)
        stopped = asyncio.create_task(self._stopped.wait())
        either: list[asyncio.Future[Any]] = [stopped, self.ended]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        return not self.ended.done()

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        self._connected.set()
        try:
            while line := await reader.readline():
                self._hear(line)
        except (OSError, ValueError):
            pass  # a torn connection or an endless message: the same as no more messages
        finally:
            self.hung_up.set()
            self._end(None)
            writer.close()

    def _hear(self, line: bytes) -> None:
        try:
            message = _DECODER.decode(line)
        except msgspec.DecodeError:
            return
        if source := _SOURCES.get(message.type):
            text = message.message_out or message.message_err or message.message_ops
            self._on_lines(source, text.split("\n"), bool(message.cut))
        elif message.type in (messages.EXEC_FINISHED, messages.EXEC_FAILED):
            self.told_to_end = bool(message.told_to_end)
            self._end(message.exit_code)
        elif message.type == messages.USER_STOP_FINISHED:
            self._stopped.set()

    def _end(self, exit_code: int | None) -> None:
        if not self.ended.done():
            self.ended.set_result(exit_code)


def _bound(path: Path) -> socket.socket:
    """A Unix socket at `path`, in place of whatever was there, that every user may connect to."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket_address(path) as address:
        bound.bind(address)
    path.chmod(0o777)
    return bound
