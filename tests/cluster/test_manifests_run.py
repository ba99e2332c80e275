"""What the ha overlay says works: its NATS configuration on three real servers, and every program with exactly the variables of its container."""

import asyncio
import random
import re
import secrets
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.cluster import manifests as k8s
from tests.cluster.manifests import Container
from tests.cluster.parts import Part, Ports
from tests.cluster.test_manifests import overlay
from tests.servers import nats_server_program

from osmo_domain.errors import Transient
from osmo_eventlog.nats import AgentLogin, connect
from osmo_eventlog.nats.callout import Issuer, new_issuer_seed
from osmo_eventlog.subjects import CONFIG
from osmo_service.health import LIVE, READY

pytestmark = [
    pytest.mark.xdist_group("cluster"),
    pytest.mark.filterwarnings("ignore:parameter 'timeout':DeprecationWarning"),  # nats-py's WebSocket, in aiohttp 3
]

WITHIN_S = 60
FOLDER = k8s.ROOT / "k8s" / "overlays"
PASSWORD = "p12e4"
ISSUER_SEED = new_issuer_seed()


@dataclass
class Member:
    """One nats-server with an overlay's nats.conf, on ports of its own."""

    part: Part
    client: int
    monitor: int
    websocket: int


@contextmanager
def nats_members(name: str, count: int, directory: Path) -> Iterator[list[Member]]:
    """Not started yet."""
    ports = Ports()
    routes = [ports.take() for _ in range(3)]
    environment = {f"ROUTE_{number}": f"nats://route:{PASSWORD}@127.0.0.1:{port}" for number, port in enumerate(routes)}
    environment |= {"NATS_PASSWORD": PASSWORD, "ROUTE_PASSWORD": PASSWORD, "NATS_ISSUER": Issuer(ISSUER_SEED).public}
    members = [_member(name, number, directory, ports, routes[number], environment) for number in range(count)]
    try:
        yield members
    finally:
        kill(members)
        ports.release()


def _member(
    name: str, number: int, directory: Path, ports: Ports, route: int, environment: Mapping[str, str]
) -> Member:
    client, monitor, websocket = ports.take(), ports.take(), ports.take()
    own = directory / f"nats-{number}"
    own.mkdir()
    text = (FOLDER / name / "nats.conf").read_text(encoding="utf-8")
    for said, meant in ((4222, client), (8222, monitor), (6222, route), (8080, websocket)):
        text = re.sub(rf"port: {said}\b", f"port: {meant}", text)
    text = text.replace('"/var/lib/nats"', f'"{own}/store"').replace('"/var/run/nats/nats.pid"', f'"{own}/pid"')
    (own / "nats.conf").write_text(text, encoding="utf-8")
    shutil.copy(k8s.ROOT / "k8s" / "base" / "nats" / "accounts.conf", own)
    command = [nats_server_program(), "--config", str(own / "nats.conf")]
    part = Part(f"nats-{number}", command, own / "log", {**environment, "POD_NAME": f"nats-{number}"})
    return Member(part, client, monitor, websocket)


async def status(port: int, path: str) -> int:
    """HTTP's number; 0 where nobody listens."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status
    except aiohttp.ClientConnectionError:
        return 0


async def until(what: str, condition: Callable[[], Awaitable[bool]], parts: list[Part]) -> None:
    """Fails with what a part said that ended, or after a minute."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not await condition():
                for part in parts:
                    part.check()
                await asyncio.sleep(0.05)
    except TimeoutError:
        logs = "\n".join(f"{part.name}: {part.said()[-600:]}" for part in parts)
        raise AssertionError(f"not within {WITHIN_S} s: {what}\n{logs}") from None


@pytest.mark.parametrize(("name", "count", "replicas"), [("dev", 1, 1), ("ha", 3, 3)])
async def test_nats_runs_with_the_configuration_of_the_overlay(
    name: str, count: int, replicas: int, tmp_path: Path
) -> None:
    """Members find each other, probes are answered, streams have their copies, and whoever is known comes in by WebSocket, as agents of other clusters do."""
    with nats_members(name, count, tmp_path) as members:
        parts = [member.part for member in members]
        start(members)
        url = f"nats://osmo:{PASSWORD}@127.0.0.1:{members[0].client}"
        await declare_streams(url, replicas, tmp_path, parts)
        nats = k8s.named(overlay(name), "StatefulSet", "nats")["spec"]["template"]["spec"]["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = nats[probe]["httpGet"]["path"]
            for member in members:
                await until(path, lambda m=member, p=path: _says(m.monitor, p), parts)
        through = f"ws://osmo:{PASSWORD}@127.0.0.1:{members[-1].websocket}"
        async with connect(through, name="test", rng=random.Random(1)) as connection:
            streams = await connection.link.js.streams_info()
            assert {info.config.num_replicas for info in streams} == {replicas}
            assert len(streams) >= 10


async def declare_streams(url: str, replicas: int, directory: Path, parts: list[Part]) -> None:
    """What the init container does."""
    environment = {"OSMO_NATS_URL": url, "OSMO_STREAM_REPLICAS": str(replicas)}
    command = [sys.executable, "-m", "osmo_gateway.streams"]
    part = Part("streams", command, directory / "streams.log", environment)
    part.start()
    try:
        await until(f"streams: {part.said()}", lambda: _ended(part), parts)
    finally:
        part.kill()


async def _says(port: int, path: str, number: int = 200) -> bool:
    return await status(port, path) == number


async def test_every_program_starts_with_the_variables_of_its_container_and_lives_while_nats_is_away(
    tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "keys").mkdir()
    for name in ("task.key", "credential.key"):
        (tmp_path / "keys" / name).write_text(secrets.token_hex(32))
    (tmp_path / "issuer.seed").write_text(ISSUER_SEED)
    with nats_members("ha", 3, tmp_path) as members, ExitStack() as stack:
        programs = Programs(members[0], database_url, tmp_path, stack)
        everything = k8s.containers(overlay("ha"))
        streams, _ = programs.start(next(one for one in everything if one.name == "streams"))
        start(members)
        await until("streams", lambda: _ended(streams), [member.part for member in members])
        kill(members)
        served = [one for one in everything if one.name == "osmo"]
        started = {one.workload: programs.start(one) for one in served}
        parts = [part for part, _ in started.values()]
        for workload, (_, health) in started.items():
            await until(f"{workload} lives", lambda port=health: _says(port, LIVE), parts)
            assert await status(health, READY) == 503, workload
        start(members)
        for one in served:
            asked = one.spec["readinessProbe"]["httpGet"]["path"]
            health = started[one.workload][1]
            await until(f"{one.workload} {asked}", lambda port=health, path=asked: _says(port, path), parts)
        # Where nobody stands by, every scheduler is in office.
        for workload in ("scheduler", "scheduler-1"):
            health = started[workload][1]
            await until(f"{workload} in office", lambda port=health: _says(port, READY), parts)
        await agent_comes_in(programs.listens["gateway"], members[-1], tmp_path)
        kill(members)
        for workload, (_, health) in started.items():
            assert await status(health, LIVE) == 200, workload


async def agent_comes_in(gateway: int, member: Member, directory: Path) -> None:
    """Registered at the gateway, a cluster's agent gets through the WebSocket with its token, and there no further than its rights."""
    headers = {"x-osmo-user": "admin", "User-Agent": "osmo-cli/6.4.0"}
    url = f"http://127.0.0.1:{gateway}/api/backend/cluster-1"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json={}) as answer:
        assert answer.status == 200, await answer.text()
        registered = await answer.json()
    assert "wss://nats.osmo.example.org:443" in registered["manifest"]
    token = directory / "token"
    token.write_text(registered["token"])
    login = AgentLogin("cluster-1", token)
    through = f"ws://127.0.0.1:{member.websocket}"
    async with connect(through, name="agent", rng=random.Random(1), options=login.options(), deadline_s=3) as agent:
        assert agent.connected
        with pytest.raises(Transient):
            await agent.log.last(CONFIG, "osmo.config.pool.default")


def start(members: list[Member]) -> None:
    for member in members:
        member.part.start()


def kill(members: list[Member]) -> None:
    for member in members:
        member.part.kill()


async def _ended(part: Part) -> bool:
    return not part.running


class Programs:
    """Starts what containers would run, with their variables, where names of the cluster are this machine's."""

    def __init__(self, nats: Member, database_url: str, directory: Path, stack: ExitStack) -> None:
        self._nats = nats
        self._database_url = database_url
        self._directory = directory
        self._ports = Ports()
        self._stack = stack
        stack.callback(self._ports.release)
        self.listens: dict[str, int] = {}
        """Where those listen that people and tasks come to."""

    def start(self, one: Container) -> tuple[Part, int]:
        """The process, and the port where it tells its health."""
        health = self._ports.take()
        own = {"OSMO_HEALTH_PORT": str(health)}
        own |= {
            name: str(self._ports.take()) for name in ("OSMO_PORT", "OSMO_LOG_ROUTER_PORT") if name in one.environment
        }
        environment = {name: self._here(one, value) for name, value in one.environment.items()} | own
        for port in own.keys() - {"OSMO_HEALTH_PORT"}:
            self.listens[one.workload] = int(own[port])
        name = f"{one.workload}-{one.name}"
        assert one.module is not None
        part = Part(name, [sys.executable, "-m", one.module], self._directory / f"{name}.log", environment)
        part.start()
        self._stack.callback(part.kill)
        return part, health

    def _here(self, one: Container, value: str) -> str:
        here = {
            "<osmo-nats/password>": PASSWORD,
            "<osmo-database/url>": self._database_url,
            "<metadata.name>": one.workload,
            "@nats:4222": f"@127.0.0.1:{self._nats.client}",
            "/run/osmo/keys": str(self._directory / "keys"),
            "/run/osmo/nats": str(self._directory),
        }
        for said, meant in here.items():
            value = value.replace(said, meant)
        return value
