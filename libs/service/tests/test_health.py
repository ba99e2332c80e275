"""A process tells whoever asks whether it lives and whether it is ready, from before it has found its servers until it ends."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from osmo_service.health import LIVE, READY, HealthSettings, open_health
from osmo_service.lifecycle import App, serve_until_signal
from osmo_service.settings import BadSettings, load_settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def status(port: int, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status


async def comes_to(port: int, path: str, wanted: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                if await status(port, path) == wanted:
                    return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.01)


async def idle() -> None:
    await asyncio.Event().wait()


async def test_a_process_lives_while_it_waits_for_its_servers_and_is_ready_only_when_it_says_so() -> None:
    found, app = asyncio.Event(), App("test", {"idle": idle})

    @asynccontextmanager
    async def opened() -> AsyncIterator[App]:
        await found.wait()
        yield app

    port = free_port()
    life = asyncio.create_task(serve_until_signal(opened(), health=HealthSettings(health_port=port)))
    await comes_to(port, LIVE, 200)
    assert await status(port, READY) == 503
    found.set()
    app.ready.set()
    await comes_to(port, READY, 200)
    app.ready.clear()
    assert (await status(port, READY), await status(port, LIVE)) == (503, 200)
    os.kill(os.getpid(), signal.SIGTERM)
    await life
    with pytest.raises(aiohttp.ClientConnectionError):
        await status(port, LIVE)


async def test_nobody_listens_where_no_port_is_named() -> None:
    async with open_health(load_settings(HealthSettings, {})) as health:
        assert health.port == 0


def test_settings_name_host_and_port() -> None:
    read = load_settings(HealthSettings, {"OSMO_HEALTH_HOST": "0.0.0.0", "OSMO_HEALTH_PORT": "8081"})
    assert (read.health_host, read.health_port) == ("0.0.0.0", 8081)
    with pytest.raises(BadSettings, match="health_port"):
        load_settings(HealthSettings, {"OSMO_HEALTH_PORT": "many"})
