"""The gateway as a process of its own, over a real NATS server and a real database."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import aiohttp
import msgspec
from services.gateway.tests.gateway_house import SEED, T0, started, submitted

import osmo_eventlog.nats
from osmo_domain.commit import Commit, encode_commit
from osmo_eventlog.subjects import workflow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def status(url: str) -> int:
    """0 where nobody answers."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0


async def until_status(url: str, wanted: int) -> None:
    async with asyncio.timeout(30):
        while await status(url) != wanted:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def gateway(nats_url: str, database_url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A process, and where it says how it is."""
    health = free_port()
    settings = {
        "OSMO_NATS_URL": nats_url,
        "OSMO_DATABASE_URL": database_url,
        "OSMO_PORT": str(free_port()),
        "OSMO_HEALTH_PORT": str(health),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "osmo_gateway", env={**os.environ, **settings}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process, f"http://127.0.0.1:{health}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_waits_for_its_database_and_says_that_it_is_not_ready(nats_url: str, servers: ModuleType) -> None:
    async with osmo_eventlog.nats.connect(nats_url, name="test", rng=random.Random(1)) as connection:
        await osmo_eventlog.nats.apply_streams(connection)
    with servers.running_postgres() as postgres:
        url = postgres.create_database("late")
        await asyncio.to_thread(postgres.stop)
        async with gateway(nats_url, url) as (process, health):
            await until_status(f"{health}/live", 200)
            assert await status(f"{health}/ready") == 503
            await asyncio.to_thread(postgres.start)
            await until_status(f"{health}/ready", 200)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0


async def test_it_stops_when_it_is_told_to_while_it_waits(nats_url: str) -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    async with gateway(nats_url, nowhere) as (process, health):
        await until_status(f"{health}/live", 200)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await process.wait() == 0


async def test_it_starts_seeds_answers_from_the_log_and_stops_on_sigterm(
    nats_url: str, database_url: str, tmp_path: Path
) -> None:
    port, seed = free_port(), tmp_path / "seed.json"
    seed.write_bytes(msgspec.json.encode(SEED))
    async with osmo_eventlog.nats.connect(nats_url, name="test", rng=random.Random(1)) as connection:
        await osmo_eventlog.nats.apply_streams(connection)
        commit: Commit[object] = Commit("c1", T0, "t", [submitted(), *started()])
        await connection.log.publish(workflow(0, "w-1"), encode_commit(commit), message_id="c1")
    ready, write = os.pipe()
    code = f"import os; from osmo_gateway.__main__ import serve; serve(os.environ, {write})"
    settings = {
        "OSMO_NATS_URL": nats_url,
        "OSMO_DATABASE_URL": database_url,
        "OSMO_PORT": str(port),
        "OSMO_SEED_FILE": str(seed),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={**os.environ, **settings}, pass_fds=[write], stderr=asyncio.subprocess.PIPE
    )
    os.close(write)
    try:
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(os.read, ready, 10) == b"ready\n"
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                async with session.get("/api/workflow/w-1") as answer:
                    assert (await answer.json())["status"] == "RUNNING"
                async with session.get("/api/pool") as answer:
                    assert sorted((await answer.json())["pools"]) == ["default", "far", "spare"]
                async with session.post("/api/pool/default/workflow", json={"file": "x"}) as answer:
                    assert answer.status == 503
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        os.close(ready)
        if process.returncode is None:
            process.kill()
            await process.wait()
