"""Which services `osmo up` runs, in the order of their start, and the settings that each is given."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from osmo_cli.up.children import Birth
from osmo_cli.up.layout import DataDir, Ports


@dataclass(frozen=True, slots=True)
class Service:
    """`module` has `serve(environ, ready_fd)`. `settings` win over what the environment of `osmo up` says."""

    name: str
    module: str
    settings: Mapping[str, str]

    def birth(self, data_dir: DataDir, inherited: Mapping[str, str]) -> Birth:
        environ = {**inherited, **self.settings}

        def body(ready_fd: int) -> None:
            importlib.import_module(self.module).serve(environ, ready_fd)

        return Birth(self.name, body, data_dir.log(self.name))


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens. `base_url` is what people and tools use."""

    nats_url: str
    database_url: str
    host: str
    port: int
    base_url: str
    ports: Ports


def services(
    data_dir: DataDir, where: Addresses, *, log_level: str, simulated_nodes: str | None, shards: int = 1
) -> list[Service]:
    """Everything that answers first, the edge last: when the gateway is ready, so is what it asks."""
    shared = {
        "OSMO_NATS_URL": where.nats_url,
        "OSMO_DATABASE_URL": where.database_url,
        "OSMO_LOG_LEVEL": log_level,
        "OSMO_SHARDS": str(shards),
    }
    router_url = f"http://127.0.0.1:{where.ports.log_router}"
    reached_by_tasks = {"OSMO_LOG_ROUTER_URL": router_url, "OSMO_SERVICE_URL": where.base_url}
    key = {"OSMO_TASK_KEY_FILE": str(data_dir.task_key)}
    data = {"OSMO_DATA_ROOT": str(data_dir.storage), "OSMO_CREDENTIAL_KEY_FILE": str(data_dir.credential_key)}
    router = {"OSMO_LOG_ROUTER_HOST": "127.0.0.1", "OSMO_LOG_ROUTER_PORT": str(where.ports.log_router)}
    edge = {
        "OSMO_HOST": where.host,
        "OSMO_PORT": str(where.port),
        "OSMO_BASE_URL": where.base_url,
        "OSMO_DEV_ACCESS": "true",
        "OSMO_SEED_FILE": str(data_dir.seed),
    }
    found = [
        Service("data", "osmo_data.__main__", {**shared, **key, **data}),
        Service("submit", "osmo_submit.__main__", shared),
        *(_scheduler(shard, {**shared, **key}) for shard in range(shards)),
        Service("log-router", "osmo_log_router.__main__", {**shared, **key, **router}),
        _agent("default", "process", data_dir, {**shared, **reached_by_tasks}),
    ]
    if simulated_nodes:
        nodes = {"OSMO_SIMULATED_NODES": simulated_nodes, "OSMO_LOG_ROUTER_URL": router_url}
        found.append(_agent("simulated", "simulated", data_dir, {**shared, **nodes}))
    found.append(Service("gateway", "osmo_gateway.__main__", {**shared, **edge}))
    return found


def _scheduler(shard: int, settings: Mapping[str, str]) -> Service:
    """Under its name it takes its own lease back at once when it is started again."""
    name = f"scheduler-{shard}" if shard else "scheduler"
    return Service(name, "osmo_scheduler.__main__", {**settings, "OSMO_SHARD": str(shard), "OSMO_INSTANCE": "osmo-up"})


def _agent(backend: str, runtime: str, data_dir: DataDir, settings: Mapping[str, str]) -> Service:
    state = data_dir.backend(backend)
    state.mkdir(parents=True, exist_ok=True)
    own = {"OSMO_BACKEND": backend, "OSMO_RUNTIME": runtime, "OSMO_STATE_DIR": str(state)}
    return Service(f"agent-{backend}", "osmo_agent.__main__", {**settings, **own})
