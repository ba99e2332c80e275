"""One run of `osmo up`, from the first process to the last."""

import gc
import importlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from osmo_cli.errors import UserError
from osmo_cli.up import streams
from osmo_cli.up.layout import DataDir, choose_ports, choose_shards, is_free, rotate
from osmo_cli.up.leftovers import end_leftovers
from osmo_cli.up.lock import locked
from osmo_cli.up.nats_server import AgentDoor, NatsServer
from osmo_cli.up.postgres import Postgres
from osmo_cli.up.probe import pools_online, running_tasks
from osmo_cli.up.seed import write_seed
from osmo_cli.up.services import Addresses, Service, agents, backend_tokens, services
from osmo_cli.up.supervisor import Interrupted, Supervisor, say_on_stderr

SERVERS_WITHIN_S = 60.0
SERVICES_WITHIN_S = 90.0
LIBRARIES = ("uvloop", "aiohttp", "asyncpg", "osmo_eventlog.nats", "osmo_service.lifecycle")


@dataclass(frozen=True, slots=True)
class Options:
    """What the flags and the environment of `osmo up` said. `nats_url` and `database_url` are None for embedded servers."""

    data_dir: Path
    host: str
    port: int
    log_level: str
    simulated_nodes: str | None
    nats_url: str | None
    database_url: str | None
    environ: Mapping[str, str]
    door: AgentDoor | None = None

    @property
    def url(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.port}"

    @property
    def pools(self) -> list[str]:
        return ["default", *(["simulated"] if self.simulated_nodes else [])]


def up(options: Options) -> int:
    """Run until somebody ends it. The exit code."""
    data_dir = DataDir(options.data_dir)
    data_dir.make()
    with locked(data_dir.lock):
        _clear(data_dir)
        if not is_free(options.host, options.port):
            raise UserError(f"Port {options.port} of {options.host} is in use. Choose another with --port.")
        supervisor = Supervisor(data_dir.processes, say_on_stderr)
        with supervisor.signals():
            return _Run(options, data_dir, supervisor).whole()


def _clear(data_dir: DataDir) -> None:
    if ended := end_leftovers(data_dir.processes):
        say_on_stderr(f"ended {ended} processes that an earlier run had left")
    for log in (data_dir.root / "logs").glob("*.log"):
        rotate(log)


class _Run:
    def __init__(self, options: Options, data_dir: DataDir, supervisor: Supervisor) -> None:
        self._options = options
        self._data_dir = data_dir
        self._supervisor = supervisor
        self._servers: list[str] = []
        self._services: list[str] = []
        self._began = time.monotonic()

    def whole(self) -> int:
        try:
            self._start()
            self._supervisor.keep()
        except Interrupted:
            pass
        finally:
            self._stop()
        return 0

    def _start(self) -> None:
        options, data_dir = self._options, self._data_dir
        say_on_stderr(f"osmo up: state in {data_dir.root}")
        ports = choose_ports(data_dir.root)
        nats = None if options.nats_url else NatsServer(data_dir, ports.nats, options.door)
        postgres = None if options.database_url else Postgres(data_dir)
        self._start_servers(nats, postgres)
        nats_url = options.nats_url or (nats.url if nats else "")
        database_url = options.database_url or (postgres.url if postgres else "")
        agents_url = nats.agents_url if nats else ""
        where = Addresses(
            nats_url, agents_url, database_url, options.host, options.port, options.url, ports, options.door
        )
        write_seed(
            data_dir.seed,
            storage=data_dir.storage,
            base_url=options.url,
            simulated=bool(options.simulated_nodes),
            tokens=backend_tokens(data_dir, options.pools) if agents_url else {},
        )
        wanted = services(
            data_dir,
            where,
            log_level=options.log_level,
            shards=choose_shards(data_dir.root, options.environ.get("OSMO_SHARDS", "")),
        )
        coming = agents(data_dir, where, log_level=options.log_level, simulated_nodes=options.simulated_nodes)
        _import([*wanted, *coming])
        self._await_servers(nats, postgres)
        self._supervisor.run_once(streams.birth(data_dir, nats_url), within_s=SERVERS_WITHIN_S)
        self._start_services(wanted, coming)
        self._say_ready()

    def _start_servers(self, *servers: NatsServer | Postgres | None) -> None:
        wanted = [server for server in servers if server is not None]
        if wanted:
            say_on_stderr(f"starting {' and '.join(server.name for server in wanted)} ...")
        for server in wanted:
            self._supervisor.start(server.birth())
            self._servers.append(server.name)

    def _await_servers(self, nats: NatsServer | None, postgres: Postgres | None) -> None:
        for server in (nats, postgres):
            if server is not None:
                self._supervisor.wait_until(server.name, server.ready, within_s=SERVERS_WITHIN_S)
        if postgres is not None:
            postgres.create_database()

    def _start_services(self, wanted: Sequence[Service], coming: Sequence[Service]) -> None:
        supervisor, options = self._supervisor, self._options
        names = [service.name for service in (*wanted, *coming)]
        say_on_stderr(f"starting {', '.join(names)} ...")
        # What is imported by now is shared by all services; frozen, no collection of theirs touches (and so copies) it.
        gc.freeze()
        for services_now in (wanted, coming):
            for service in services_now:
                self._services.append(service.name)
                supervisor.start(service.birth(self._data_dir, options.environ))
            if services_now is wanted:
                supervisor.wait_until("gateway", lambda: supervisor.all_ready(["gateway"]), within_s=SERVICES_WITHIN_S)
        supervisor.wait_until("services", lambda: supervisor.all_ready(names), within_s=SERVICES_WITHIN_S)
        supervisor.wait_until(
            "pools", lambda: pools_online(options.host, options.port, options.pools), within_s=SERVICES_WITHIN_S
        )

    def _say_ready(self) -> None:
        options = self._options
        if options.door is not None:
            clear = "" if options.door.certificate else ", without TLS: their tokens can be read on the way"
            say_on_stderr(f"agents of other clusters come in at {options.door.url}{clear}")
        say_on_stderr(f"everything runs after {time.monotonic() - self._began:.1f} s; Ctrl-C ends it")
        if options.url != "http://127.0.0.1:8000":
            say_on_stderr(f"log in with: osmo login {options.url} --method dev --username {_user(options.environ)}")
        sys.stdout.write(f"ready {options.url}\n")
        sys.stdout.flush()

    def _stop(self) -> None:
        supervisor, options = self._supervisor, self._options
        going_on = running_tasks(options.host, options.port, "default") if self._services else None
        say_on_stderr("stopping ... (Ctrl-C once more to force)")
        supervisor.stop(self._services)
        supervisor.stop(self._servers)
        self._data_dir.processes.unlink(missing_ok=True)
        if going_on:
            tasks = "1 task goes" if going_on == 1 else f"{going_on} tasks go"
            say_on_stderr(f"{tasks} on running; the next `osmo up` takes them up again")


def _import(wanted: Sequence[Service]) -> None:
    """Load everything before forking, so that all children share it. The collector only gets in the way of that."""
    gc.disable()
    for module in (*LIBRARIES, *(service.module for service in wanted)):
        importlib.import_module(module)


def _user(environ: Mapping[str, str]) -> str:
    return environ.get("USER") or "me"
