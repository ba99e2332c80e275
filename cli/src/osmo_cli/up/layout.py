"""What stands where in a data directory, and the secrets and ports that are chosen once and kept there."""

import json
import os
import re
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from osmo_cli.errors import UserError

KEPT_LOGS = 3
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class DataDir:
    """The state of one installation on this machine. Only its owner may look inside."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def processes(self) -> Path:
        """Who runs here: see leftovers.py."""
        return self.root / "processes.json"

    @property
    def jetstream(self) -> Path:
        return self.root / "nats"

    @property
    def nats_config(self) -> Path:
        return self.root / "nats.conf"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def seed(self) -> Path:
        return self.root / "seed.json"

    @property
    def storage(self) -> Path:
        """Where tasks' outputs are kept: `file://` URLs of the local pool point here."""
        return self.root / "storage"

    @property
    def task_key(self) -> Path:
        return self.root / "task.key"

    @property
    def credential_key(self) -> Path:
        """What credentials are encrypted with. Whoever loses it loses them, and nothing else."""
        return self.root / "credential.key"

    @property
    def nats_password(self) -> Path:
        """Of our own services."""
        return self.root / "nats.password"

    @property
    def nats_issuer(self) -> Path:
        """What the gateway signs with when it tells nats-server about an agent."""
        return self.root / "nats-issuer.seed"

    def backend(self, name: str) -> Path:
        """Where the agent of this backend remembers its pods."""
        return self.root / "backends" / name

    def backend_token(self, name: str) -> Path:
        """What the agent of this backend shows to nats-server."""
        return self.backend(name) / "token"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"

    def make(self) -> None:
        """Create what is missing."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for directory in (self.jetstream, self.storage, self.root / "logs"):
            directory.mkdir(exist_ok=True)
        secret(self.task_key)
        secret(self.credential_key)


def secret(path: Path) -> str:
    """The secret in this file; made at the first call, readable by its owner only."""
    return kept(path, lambda: secrets.token_hex(32))


def kept(path: Path, make: Callable[[], str]) -> str:
    """The same for what `make` makes."""
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(make())
    return path.read_text(encoding="ascii")


def rotate(log: Path) -> None:
    """Make room for a new log; the last few are kept as `x.log.1` (the newest) and so on."""
    for number in range(KEPT_LOGS - 1, 0, -1):
        older = log.with_suffix(f".log.{number}")
        if older.exists():
            older.replace(log.with_suffix(f".log.{number + 1}"))
    if log.exists() and log.stat().st_size:
        log.replace(log.with_suffix(".log.1"))


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports that stay the same over restarts: tasks outlive us and come back to log-router's."""

    nats: int
    log_router: int


def choose_ports(root: Path) -> Ports:
    """The ports of this data directory; one that somebody else has taken meanwhile is chosen anew."""
    path = root / "ports.json"
    kept = json.loads(path.read_text(encoding="ascii")) if path.exists() else {}
    ports = Ports(nats=_kept_or_free(kept.get("nats")), log_router=_kept_or_free(kept.get("log_router")))
    path.write_text(json.dumps({"nats": ports.nats, "log_router": ports.log_router}), encoding="ascii")
    return ports


def choose_shards(root: Path, wanted: str) -> int:
    """How many schedulers share the backends: chosen once, at the first start, because workflows stay in their shard for ever."""
    path = root / "shards"
    kept = path.read_text(encoding="ascii").strip() if path.exists() else ""
    shards = wanted or kept or "1"
    if not re.fullmatch(r"[1-9][0-9]?", shards):
        raise UserError(f"OSMO_SHARDS={shards} is not a number from 1 to 99.")
    if shards != (kept or shards):
        raise UserError(f"OSMO_SHARDS={shards}, but {root} was made with {kept}: the number of shards cannot change.")
    path.write_text(shards, encoding="ascii")
    return int(shards)


def is_free(host: str, port: int) -> bool:
    """Somebody could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _kept_or_free(kept: int | None) -> int:
    if kept is not None and is_free("127.0.0.1", kept):
        return kept
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
