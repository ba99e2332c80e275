"""One real `osmo up` on a data directory of its own: start it, look into it, stop it, kill any part of it.

Chaos tests, flows and benchmarks use it. Nothing in here reaches into the program: processes are told apart by the log that each writes to, the
addresses and secrets of the servers stand in the data directory.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

OSMO = str(Path(sysconfig.get_path("scripts")) / "osmo")
READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0
SERVERS = ("nats-server", "postgresql")
SERVICES = ("gateway", "submit", "scheduler", "agent-default", "log-router", "data")


class NotReady(RuntimeError):
    """`osmo up` did not get ready, or a part of it did not come back; the text ends with what it said."""


@dataclass
class Installation:
    """`directory` holds the data directory `up` and what the processes said. The port stays the same over restarts."""

    directory: Path
    simulated_nodes: str = ""
    port: int = 0
    _supervisor: psutil.Popen | None = field(default=None, repr=False)

    @property
    def data_dir(self) -> Path:
        return self.directory / "up"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def nats_url(self) -> str:
        password = (self.data_dir / "nats.password").read_text(encoding="ascii")
        port = json.loads((self.data_dir / "ports.json").read_text(encoding="ascii"))["nats"]
        return f"nats://osmo:{password}@127.0.0.1:{port}"

    @property
    def database_socket(self) -> str:
        """The directory of PostgreSQL's socket, from its own words (it may lie elsewhere where the path is too long)."""
        return (self.data_dir / "postgres/cluster/postmaster.pid").read_text(encoding="utf-8").splitlines()[4]

    @property
    def database_url(self) -> str:
        return f"postgresql://postgres@/osmo?host={self.database_socket}"

    @property
    def said(self) -> str:
        """What `osmo up` itself said, over all starts."""
        with contextlib.suppress(FileNotFoundError):
            return (self.directory / "said").read_text(encoding="utf-8", errors="replace")
        return ""

    def start(self) -> float:
        """Start it and wait until it says that it is ready. The seconds that this took."""
        self.port = self.port or free_port()
        command = [OSMO, "up", "--data-dir", str(self.data_dir), "--port", str(self.port)]
        if self.simulated_nodes:
            command += ["--simulated-nodes", self.simulated_nodes]
        began = time.monotonic()
        before = self.said.count("\nready ")
        with (self.directory / "said").open("ab") as output:
            self._supervisor = psutil.Popen(
                command, env=_environ(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        while self.said.count("\nready ") == before:
            if self._supervisor.poll() is not None or time.monotonic() - began > READY_WITHIN_S:
                raise NotReady(f"osmo up is not ready: {self.said[-4000:]}")
            time.sleep(0.01)
        return time.monotonic() - began

    def stop(self) -> None:
        """As Ctrl-C does it."""
        if self._supervisor is None:
            return
        if self._supervisor.poll() is None:
            self._supervisor.send_signal(signal.SIGINT)
        try:
            self._supervisor.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._supervisor = None

    def kill(self) -> None:
        """SIGKILL for the supervisor, every service and both servers; tasks are left alone. Returns when all of them are gone."""
        if self._supervisor is None:
            return
        doomed = [self._supervisor, *self._members()]
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(doomed, timeout=STOPPED_WITHIN_S)
        self._supervisor.wait(STOPPED_WITHIN_S)
        self._supervisor = None

    def processes(self) -> dict[str, psutil.Process]:
        """The living parts by name: services, servers, and `supervisor`."""
        assert self._supervisor is not None
        found: dict[str, psutil.Process] = {"supervisor": self._supervisor}
        for process in self._children():
            if name := _log_of(process):
                found[name] = process
        return found

    def kill_part(self, name: str) -> psutil.Process:
        """SIGKILL for one service or server, as a crash does it. For PostgreSQL that is the postmaster."""
        process = self.processes()[name]
        process.kill()
        return process

    def _children(self) -> list[psutil.Process]:
        assert self._supervisor is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child for child in self._supervisor.children() if child.status() != psutil.STATUS_ZOMBIE]
        return []

    def _members(self) -> list[psutil.Process]:
        """Every process of the control plane but the supervisor. Children of the agent are tasks, and none of it."""
        members = []
        for process in self._children():
            members.append(process)
            if _log_of(process) == "postgresql":
                with contextlib.suppress(psutil.NoSuchProcess):
                    members += process.children(recursive=True)
        return members


@contextlib.contextmanager
def installation(*, simulated_nodes: str = "", started: bool = True) -> Iterator[Installation]:
    """A fresh one, killed and removed on leaving. After a failure its directory stays, and is named."""
    one = Installation(Path(tempfile.mkdtemp(prefix="osmo-up-")), simulated_nodes)
    try:
        if started:
            one.start()
        yield one
    except BaseException:
        print(f"what is left to look at: {one.directory}")
        raise
    else:
        one.kill()
        shutil.rmtree(one.directory, ignore_errors=True)
    finally:
        one.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OSMO_")}


def _log_of(process: psutil.Process) -> str:
    """The name of the log that the process writes to; empty for one that is only just being born."""
    try:
        target = Path(f"/proc/{process.pid}/fd/1").readlink()
    except OSError:
        return ""
    return target.stem if target.parent.name == "logs" else ""
