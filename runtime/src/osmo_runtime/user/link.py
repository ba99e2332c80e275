"""The wrapper's end of the Unix socket."""

import socket
import time
from pathlib import Path
from typing import Any

from osmo_runtime import messages
from osmo_runtime.paths import socket_address

FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.25
REFUSED_FOR_S = 10.0
"""After this time a socket that is there and refuses has lost its ctrl for good: no ctrl is ever started again in the same pod."""


class CtrlGone(Exception):
    """The control container closed the connection, or never opened its socket."""


class CtrlLink:
    """Sends at once and blocks while ctrl does not read; says nothing any more once ctrl has gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self._gone = False

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, kind: str, **fields: str | int) -> None:
        if self._gone:
            return
        try:
            self._connection.sendall(messages.encode(kind, **fields))
        except OSError:
            self._gone = True

    def receive(self) -> list[dict[str, Any]]:
        """The messages that are there, at least part of one; blocks for the first bytes. Raises CtrlGone."""
        try:
            chunk = self._connection.recv(65536)
        except OSError as error:
            raise CtrlGone(str(error)) from error
        if not chunk:
            self._gone = True
            raise CtrlGone("ctrl closed the connection")
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [messages.decode(line) for line in lines]

    def close(self) -> None:
        self._connection.close()


def connect(path: Path, *, within_s: float) -> CtrlLink:
    """Dial until ctrl listens. Raises CtrlGone after `within_s`, or when it has been there and ended."""
    deadline = time.monotonic() + within_s
    pause = FIRST_PAUSE_S
    refused_since: float | None = None
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with socket_address(path) as address:
                connection.connect(address)
            return CtrlLink(connection)
        except OSError as error:
            connection.close()
            now = time.monotonic()
            refused_since = (refused_since or now) if isinstance(error, ConnectionRefusedError) else None
            if now > deadline or (refused_since is not None and now > refused_since + REFUSED_FOR_S):
                raise CtrlGone(f"nobody listens at {path}: {error}") from error
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_S)
