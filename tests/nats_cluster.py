"""Three nats-servers that keep every message three times, on loopback, as the `ha` overlay runs them."""

import contextlib
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.installation import free_port
from tests.servers import READY_WITHIN_S, nats_server_program, wait_for_line

CONFIG = """
server_name: "n{number}"
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor}"
jetstream {{ store_dir: "{store}" }}
cluster {{ name: "test", listen: "127.0.0.1:{route}", routes: [{routes}] }}
"""


@dataclass
class NatsMember:
    """One of the three; it keeps its ports and its store over restarts."""

    number: int
    directory: Path
    port: int
    monitor: int
    starts: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self.starts += 1
        log = self.directory / f"log-{self.starts}"
        command = [nats_server_program(), "-c", str(self.directory / "config"), "-l", str(log)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_for_line(log, "Server is ready", self.process)

    def kill(self) -> None:
        """As a crash of its machine does it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(READY_WITHIN_S)
            self.process = None

    def caught_up(self) -> bool:
        """Its copies of all streams are current."""
        url = f"http://127.0.0.1:{self.monitor}/healthz"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
        return False


@dataclass(frozen=True)
class NatsCluster:
    members: tuple[NatsMember, ...]

    @property
    def url(self) -> str:
        """All of them: a client goes on with those that are left."""
        return ",".join(f"nats://127.0.0.1:{member.port}" for member in self.members)


@contextlib.contextmanager
def running_nats_cluster(count: int = 3) -> Iterator[NatsCluster]:
    with tempfile.TemporaryDirectory(prefix="osmo-nats-cluster-") as root:
        routes = [free_port() for _ in range(count)]
        cluster = NatsCluster(tuple(_member(Path(root), number, routes) for number in range(count)))
        try:
            for member in cluster.members:
                member.start()
            yield cluster
        finally:
            for member in cluster.members:
                member.kill()


def _member(root: Path, number: int, routes: list[int]) -> NatsMember:
    directory = root / str(number)
    directory.mkdir()
    member = NatsMember(number, directory, free_port(), free_port())
    others = ", ".join(f'"nats-route://127.0.0.1:{port}"' for port in routes)
    text = CONFIG.format(
        number=number,
        port=member.port,
        monitor=member.monitor,
        store=directory / "store",
        route=routes[number],
        routes=others,
    )
    (directory / "config").write_text(text, encoding="ascii")
    return member
