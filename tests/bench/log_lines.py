"""Log lines per second: synthetic control containers over WebSockets, one log-router, a real NATS server.

`python tests/bench/log_lines.py [--lines 400000] [--connections 1 8] [--batch 1000]`. The router runs in this process and the clients in another one;
besides lines per second of wall time it prints lines per second of the router's own CPU time, which is what the bar is about: 200,000 per core.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import random
import sys
import time
from pathlib import Path

import aiohttp
import uvloop

from osmo_api.ctrl import ENCODER, SUBPROTOCOL, TO_CTRL, Acked, Hello, Lines
from osmo_domain.commit import Commit, encode_commit
from osmo_eventlog import subjects
from osmo_eventlog.nats import apply_streams, connect
from osmo_log_router.app import open_app
from osmo_log_router.settings import LogRouterSettings
from osmo_service.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parents[2]))

WINDOW = 16
"""Frames that a control container sends before it waits for an acknowledgement."""


async def one_ctrl(http: aiohttp.ClientSession, port: int, number: int, frames: list[bytes], batch: int) -> None:
    url = f"http://127.0.0.1:{port}/api/logger/workflow/wf-1/osmo_ctrl/t{number}/retry_id/0"
    acked = 0
    async with http.ws_connect(url, protocols=[SUBPROTOCOL], max_msg_size=0) as socket:
        await socket.send_str(ENCODER.encode(Hello("", "1")).decode())
        await socket.receive()
        for sent, frame in enumerate(frames):
            while sent * batch - acked > WINDOW * batch:
                acked = await next_acked(socket)
            await socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        while acked < len(frames) * batch:
            acked = await next_acked(socket)


async def next_acked(socket: aiohttp.ClientWebSocketResponse) -> int:
    while True:
        frame = TO_CTRL.decode((await socket.receive()).data)
        if isinstance(frame, Acked):
            return frame.next_line


def clients(
    port: int, connections: int, lines: int, batch: int, offset: int, answer: "multiprocessing.Queue[float]"
) -> None:
    """In a process of its own: `connections` control containers that send `lines` in total; answers with the seconds that it took."""
    text = "x" * 100
    count = lines // connections // batch
    frames = [ENCODER.encode(Lines(n * batch, [(1_700_000_000_000, "STDOUT", text)] * batch)) for n in range(count)]

    async def main() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            started = time.perf_counter()
            async with asyncio.TaskGroup() as together:
                for number in range(connections):
                    together.create_task(one_ctrl(http, port, offset + number, frames, batch))
            answer.put(time.perf_counter() - started)

    uvloop.run(main())


async def measure(url: str, connections: list[int], lines: int, batch: int) -> None:
    rng = random.Random(1)
    settings = LogRouterSettings(log_router_port=0)
    async with connect(url, name="bench", rng=rng) as connection:
        await apply_streams(connection)
        commit = encode_commit(Commit("submitted", SystemClock().now(), "bench", []))
        await connection.log.append(subjects.workflow(0, "wf-1"), commit, message_id="submitted", expected=0)
        async with open_app(settings, connection, SystemClock(), rng, None) as app:
            print("connections  lines/s  lines/s per core of the router")
            offset = 0
            for count in connections:
                await measure_one(app.port, count, lines, batch, offset)
                offset += count


async def measure_one(port: int, connections: int, lines: int, batch: int, offset: int) -> None:
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[float] = context.Queue()
    process = context.Process(target=clients, args=(port, connections, lines, batch, offset, answer))
    cpu = time.process_time()
    process.start()
    while process.is_alive():
        await asyncio.sleep(0.05)
    cpu = time.process_time() - cpu
    seconds = answer.get(timeout=1)
    print(f"{connections:11}  {lines / seconds:7,.0f}  {lines / cpu:7,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=400_000)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    from tests.servers import running_nats

    with running_nats() as server, contextlib.suppress(KeyboardInterrupt):
        uvloop.run(measure(server.url, options.connections, options.lines, options.batch))


if __name__ == "__main__":
    main()
