"""Over real sockets and a real NATS server."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from osmo_api.ctrl import ENCODER, SUBPROTOCOL, TO_CTRL, Acked, Bye, Hello, Lines, ToCtrl, Welcome
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.logs import LogBatch
from osmo_domain.task_token import task_token
from osmo_eventlog import subjects
from osmo_eventlog.nats import apply_streams, connect
from osmo_eventlog.ports import Connection
from osmo_log_router.app import LogRouterApp, open_app
from osmo_log_router.settings import LogRouterSettings
from osmo_service.clock import SystemClock

KEY = b"key"
SUBJECT = subjects.log("wf-1", "task", 0)
SETTINGS = LogRouterSettings(log_router_port=0)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    async with connect(url, name="log-router", rng=random.Random(1)) as connection:
        yield connection


@asynccontextmanager
async def routing(connection: Connection) -> AsyncIterator[LogRouterApp]:
    async with open_app(SETTINGS, connection, SystemClock(), random.Random(2), KEY) as app:
        yield app


async def prepare(connection: Connection) -> None:
    await apply_streams(connection)
    commit = encode_commit(Commit("submitted", SystemClock().now(), "test", []))
    await connection.log.append(subjects.workflow(0, "wf-1"), commit, message_id="submitted", expected=0)


class Client:
    """A control container's side of one socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def say(self, frame: Any) -> None:
        await self._socket.send_str(ENCODER.encode(frame).decode())

    async def hear(self) -> ToCtrl:
        return TO_CTRL.decode((await self._socket.receive(timeout=20)).data)

    async def until_acked(self, position: int) -> None:
        while True:
            frame = await self.hear()
            if isinstance(frame, Acked) and frame.next_line >= position:
                return


@asynccontextmanager
async def dial(app: LogRouterApp, token: str = "") -> AsyncIterator[Client]:
    url = f"http://127.0.0.1:{app.port}/api/logger/workflow/wf-1/osmo_ctrl/task/retry_id/0"
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, protocols=[SUBPROTOCOL], max_msg_size=0) as socket,
    ):
        client = Client(socket)
        await client.say(Hello(token or task_token(KEY, "wf-1", "task", 0), "1"))
        yield client


def frame(first: int, count: int) -> Lines:
    return Lines(first, [(1_700_000_000_000, "STDOUT", f"line {n}") for n in range(first, first + count)])


async def stored(connection: Connection) -> list[str]:
    texts: list[str] = []
    for record in await connection.log.load(SUBJECT):
        batch = msgspec.json.decode(record.data, type=LogBatch)
        assert batch.first == len(texts)
        texts += [line.text for line in batch.lines]
    return texts


async def test_lines_survive_routers_that_die_in_the_middle(nats_url: str) -> None:
    total, position = 20_000, 0
    async with connected(nats_url) as connection:
        await prepare(connection)
        while position < total:
            async with routing(connection) as app, dial(app) as client:
                welcome = await client.hear()
                assert isinstance(welcome, Welcome)
                assert welcome.next_line >= position
                position = welcome.next_line
                for first in range(position, min(total, position + 6_000), 200):
                    await client.say(frame(first, 200))
                await client.until_acked(min(total, position + 2_000))
                position += 2_000
        assert await stored(connection) == [f"line {n}" for n in range(total)]


async def test_lines_survive_a_restart_of_the_log(nats_server: Any) -> None:
    async with connected(nats_server.url) as connection:
        await prepare(connection)
        async with routing(connection) as app, dial(app) as client:
            assert await client.hear() == Welcome(0, 0)
            await client.say(frame(0, 100))
            await client.until_acked(100)
            await asyncio.to_thread(nats_server.kill)
            await client.say(frame(100, 100))
            await asyncio.to_thread(nats_server.start)
            await client.until_acked(200)
        assert await stored(connection) == [f"line {n}" for n in range(200)]


async def test_a_wrong_token_hears_bye_and_is_closed(nats_url: str) -> None:
    async with connected(nats_url) as connection:
        await prepare(connection)
        async with routing(connection) as app, dial(app, token="wrong") as client:
            assert isinstance(await client.hear(), Bye)
            assert (await client._socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
            assert client._socket.close_code == 4000


async def test_health_and_paths_that_name_nothing(nats_url: str) -> None:
    async with connected(nats_url) as connection:
        await prepare(connection)
        async with routing(connection) as app, aiohttp.ClientSession() as http:
            base = f"http://127.0.0.1:{app.port}"
            async with http.get(f"{base}/health") as answer:
                assert await answer.json() == {"status": "ok"}
            for path in (
                "a.b-1/osmo_ctrl/t/retry_id/0",
                "wf-1/osmo_ctrl/%2A/retry_id/0",
                "wf-1/osmo_ctrl/t/retry_id/x",
            ):
                async with http.get(f"{base}/api/logger/workflow/{path}") as answer:
                    assert answer.status == 400
