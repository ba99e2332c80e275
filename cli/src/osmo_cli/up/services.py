"""Which services `osmo up` runs, in the order of their start, and the settings that each is given."""

import importlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from osmo_cli.up.children import Birth
from osmo_cli.up.layout import LOOPBACK, DataDir, Ports, kept
from osmo_cli.up.nats_server import AgentDoor
from osmo_domain.backend_access import digest, make_token


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
    agents_nats_url: str
    """Empty where the NATS server is somebody else's, and agents come to it as services do."""
    database_url: str
    host: str
    port: int
    base_url: str
    ports: Ports
    door: AgentDoor | None = None


def services(data_dir: DataDir, where: Addresses, *, log_level: str, shards: int = 1) -> list[Service]:
    """Everything but the agents: what answers first, the edge last: when the gateway is ready, so is what it asks."""
    shared = {
        "OSMO_NATS_URL": where.nats_url,
        "OSMO_DATABASE_URL": where.database_url,
        "OSMO_LOG_LEVEL": log_level,
        "OSMO_SHARDS": str(shards),
    }
    key = {"OSMO_TASK_KEY_FILE": str(data_dir.task_key)}
    data = {"OSMO_DATA_ROOT": str(data_dir.storage), "OSMO_CREDENTIAL_KEY_FILE": str(data_dir.credential_key)}
    router = {"OSMO_LOG_ROUTER_HOST": _log_router_host(where.door), "OSMO_LOG_ROUTER_PORT": str(where.ports.log_router)}
    edge = {
        "OSMO_HOST": where.host,
        "OSMO_PORT": str(where.port),
        "OSMO_BASE_URL": where.base_url,
        "OSMO_DEV_ACCESS": "true",
        "OSMO_SEED_FILE": str(data_dir.seed),
        **_let_agents_in(data_dir, where),
    }
    return [
        Service("data", "osmo_data.__main__", {**shared, **key, **data}),
        Service("submit", "osmo_submit.__main__", shared),
        *(_scheduler(shard, {**shared, **key}) for shard in range(shards)),
        Service("log-router", "osmo_log_router.__main__", {**shared, **key, **router}),
        Service("gateway", "osmo_gateway.__main__", {**shared, **edge}),
    ]


def agents(data_dir: DataDir, where: Addresses, *, log_level: str, simulated_nodes: str | None) -> list[Service]:
    """Of the backends on this machine. They come in once the gateway is there to say who they are."""
    router_url = f"http://127.0.0.1:{where.ports.log_router}"
    shared = {
        "OSMO_NATS_URL": where.agents_nats_url or where.nats_url,
        "OSMO_LOG_LEVEL": log_level,
        "OSMO_LOG_ROUTER_URL": router_url,
    }
    found = [_agent("default", "process", data_dir, where, {**shared, "OSMO_SERVICE_URL": where.base_url})]
    if simulated_nodes:
        nodes = {"OSMO_SIMULATED_NODES": simulated_nodes}
        found.append(_agent("simulated", "simulated", data_dir, where, {**shared, **nodes}))
    return found


def backend_tokens(data_dir: DataDir, names: Iterable[str]) -> dict[str, str]:
    """The digests of these backends' tokens, which are made at the first start."""
    found = {}
    for name in names:
        data_dir.backend(name).mkdir(parents=True, exist_ok=True)
        token = kept(data_dir.backend_token(name), partial(make_token, name, secrets.token_hex(32)))
        found[name] = digest(token)
    return found


def _let_agents_in(data_dir: DataDir, where: Addresses) -> dict[str, str]:
    """What the gateway needs for it; where agents of other clusters find us is known only with a door for them."""
    if not where.agents_nats_url:
        return {}
    found = {"OSMO_NATS_ISSUER_FILE": str(data_dir.nats_issuer)}
    if where.door is not None:
        host = urlsplit(where.door.url).hostname or ""
        router = f"http://{f'[{host}]' if ':' in host else host}:{where.ports.log_router}"
        found |= {"OSMO_AGENT_NATS_URL": where.door.url, "OSMO_AGENT_LOG_ROUTER_URL": router}
    return found


def _log_router_host(door: AgentDoor | None) -> str:
    """Tasks of other machines come to log-router, each with a token of its own."""
    return "127.0.0.1" if door is None or door.host in LOOPBACK else "0.0.0.0"  # noqa: S104 - asked for with --agents-listen


def _scheduler(shard: int, settings: Mapping[str, str]) -> Service:
    """Under its name it takes its own lease back at once when it is started again."""
    name = f"scheduler-{shard}" if shard else "scheduler"
    return Service(name, "osmo_scheduler.__main__", {**settings, "OSMO_SHARD": str(shard), "OSMO_INSTANCE": "osmo-up"})


def _agent(backend: str, runtime: str, data_dir: DataDir, where: Addresses, settings: Mapping[str, str]) -> Service:
    state = data_dir.backend(backend)
    state.mkdir(parents=True, exist_ok=True)
    own = {"OSMO_BACKEND": backend, "OSMO_RUNTIME": runtime, "OSMO_STATE_DIR": str(state)}
    if where.agents_nats_url:
        own["OSMO_BACKEND_TOKEN_FILE"] = str(data_dir.backend_token(backend))
    return Service(f"agent-{backend}", "osmo_agent.__main__", {**settings, **own})
