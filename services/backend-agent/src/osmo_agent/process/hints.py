"""A shim's hint that its pod changed: a datagram with the pod's key. Losing one only costs the wait until the next look."""

import asyncio
import contextlib
import socket
from pathlib import Path

from osmo_runtime.paths import socket_address


class Hints:
    """`news` is set when there are keys to take."""

    def __init__(self, path: Path) -> None:
        self.news = asyncio.Event()
        self._path = path
        self._keys: set[str] = set()
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Take over the path; a predecessor that still lives hears nothing more."""
        self._path.unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bound.setblocking(False)
        with socket_address(self._path) as address:
            bound.bind(address)
        self._path.chmod(0o600)
        self._socket = bound
        asyncio.get_running_loop().add_reader(bound.fileno(), self._hear)

    def close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def take(self) -> set[str]:
        self.news.clear()
        keys, self._keys = self._keys, set()
        return keys

    def give(self, key: str) -> None:
        """A hint from within this process."""
        self._keys.add(key)
        self.news.set()

    def _hear(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                self.give(self._socket.recv(256).decode("ascii", "replace"))
