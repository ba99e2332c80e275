"""The agent as a process: settings, the runtime that they choose, the log."""

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from osmo_agent.app import open_app
from osmo_agent.ports import PodRuntime
from osmo_agent.registration import RegistrationRefused
from osmo_agent.settings import AgentSettings
from osmo_agent.simulated import Journal, SimulatedCluster, SimulatedRuntime, parse_nodes
from osmo_eventlog.nats import AgentLogin, connect
from osmo_eventlog.ports import Connection, Requests
from osmo_eventlog.windowed import WindowedConnection
from osmo_service.clock import Clock, SystemClock
from osmo_service.health import HealthSettings
from osmo_service.lifecycle import App, run
from osmo_service.logging_setup import set_up_logging
from osmo_service.settings import BadSettings, load_settings


def serve(environ: Mapping[str, str], ready_fd: int | None = None) -> None:
    """Run until told to stop. Ends with a sentence where the settings are wrong, the backend's name is another cluster's, or our version too far."""
    settings = load_settings(AgentSettings, environ)
    set_up_logging(settings.log_level)
    try:
        run(_opened(settings), ready_fd=ready_fd, health=load_settings(HealthSettings, environ))
    except RegistrationRefused as refused:
        raise SystemExit(str(refused)) from refused


@asynccontextmanager
async def _opened(settings: AgentSettings) -> AsyncIterator[App]:
    rng, clock = random.Random(), SystemClock()
    async with (
        open_connection(settings, rng) as connection,
        open_runtime(settings, clock, rng, connection.requests) as runtime,
        open_app(settings, connection, clock, rng, runtime) as app,
    ):
        yield app


@asynccontextmanager
async def open_connection(settings: AgentSettings, rng: random.Random) -> AsyncIterator[Connection]:
    """To the log: with a token as this backend's agent, who sees nothing but its own; without one as whoever the URL says."""
    token_file = Path(settings.backend_token_file) if settings.backend_token_file else None
    try:
        login = AgentLogin(settings.backend, token_file, settings.nats_ca_file)
        options = login.options()
    except OSError as error:
        raise BadSettings(f"OSMO_NATS_CA_FILE={settings.nats_ca_file} cannot be read: {error}") from error
    name = f"agent-{settings.backend}"
    async with connect(settings.nats_url, name=name, rng=rng, options=options) as connection:
        yield WindowedConnection(connection, settings.backend) if token_file is not None else connection


@asynccontextmanager
async def open_runtime(
    settings: AgentSettings, clock: Clock, rng: random.Random, requests: Requests
) -> AsyncIterator[PodRuntime]:
    """The adapter that the settings name, over state under `state_dir`; on Kubernetes, over state in the cluster. Pods outlive it."""
    if settings.runtime == "kubernetes":
        from osmo_agent.kubernetes import open_kubernetes

        async with open_kubernetes(settings, requests, clock, rng, os.environ) as kubernetes:
            yield kubernetes
        return
    if not settings.state_dir:
        raise BadSettings("OSMO_STATE_DIR is not set: it says where pods are remembered")
    state_dir = Path(settings.state_dir)
    if settings.runtime == "simulated":
        journal = Journal(state_dir / "simulated-pods.jsonl")
        try:
            yield SimulatedRuntime(_cluster(settings), clock, journal)
        finally:
            journal.close()
    else:
        from osmo_agent.process import ProcessRuntime

        process = ProcessRuntime(state_dir, settings.log_router_url, clock, service_url=settings.service_url)
        try:
            yield process
        finally:
            await process.close()


def _cluster(settings: AgentSettings) -> SimulatedCluster:
    try:
        nodes = parse_nodes(settings.simulated_nodes)
    except ValueError as error:
        raise BadSettings(f"OSMO_SIMULATED_NODES: {error}") from error
    return SimulatedCluster(nodes, uid=f"simulated-{settings.backend}")


def main() -> None:
    """`osmo-backend-agent`: everything is in the environment."""
    serve(os.environ)


if __name__ == "__main__":
    main()
