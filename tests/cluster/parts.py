"""One process of a test's cluster, and the ports that such processes take."""

import contextlib
import ctypes
import fcntl
import os
import random
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ENDS_WITHIN_S = 20.0
# Below the ports that the kernel lends to outgoing connections: one of those could take a server's port while it is down, or even connect to itself.
PORTS = range(15000, 32000)


class NotReady(RuntimeError):
    """A part of the cluster did not get ready; the text ends with what it said last."""


@dataclass
class Part:
    """A process in a group of its own that the kernel kills when this process dies, however it dies."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Call it from the main thread: the kernel means the thread that started a process when it says parent."""
        assert self._process is None, f"{self.name} runs already"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | self.environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl; tests start no threads
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Ask it to end; kill it if it does not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a crash does it."""
        self._end(signal.SIGKILL)

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def check(self) -> None:
        """Raise if it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise NotReady(f"{self.name} ended with {self._process.returncode}: {self.said()}")

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for attempt in (number, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, attempt)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_WITHIN_S)
                return


class Ports:
    """Free ports on loopback that stay this process's: across restarts of a server, and from other processes that ask the same way."""

    def __init__(self) -> None:
        self._held: list[IO[bytes]] = []

    def take(self) -> int:
        while True:
            port = random.choice(PORTS)
            lock = _lock_file(port)
            if _locked(lock) and _free(port):
                self._held.append(lock)
                return port
            lock.close()

    def release(self) -> None:
        while self._held:
            self._held.pop().close()


def port_is_held(port: int) -> bool:
    """True while some process has taken this port."""
    with _lock_file(port) as lock:
        return not _locked(lock)


def _lock_file(port: int) -> IO[bytes]:
    directory = Path(tempfile.gettempdir()) / "osmo-test-ports"
    directory.mkdir(exist_ok=True)
    return (directory / str(port)).open("wb")


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
