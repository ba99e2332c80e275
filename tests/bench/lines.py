"""Log lines: from control containers into the log, back to a reader, and live to a follower."""

import asyncio
import json
import sys
import time

import aiohttp
import msgspec
import uvloop
from msgspec import Struct
from tests.bench.bench import Bench, spec
from tests.bench.table import Row, p50_p99, percentile, rate, seconds

from osmo_api.client import open_client
from osmo_api.ctrl import ENCODER, SUBPROTOCOL, TO_CTRL, Acked, Hello, Lines
from osmo_api.http import SubmitBody
from osmo_domain.task_token import task_token

BATCH = 500
WINDOW = 16
"""Frames that a control container sends before it waits for an acknowledgement."""

TEXT = "x" * 100


class Writers(Struct):
    """Control containers, one per task, that send `lines` each."""

    port: int
    workflow: str
    tokens: list[str]
    lines: int


async def log_lines(bench: Bench) -> list[Row]:
    rows = []
    for connections in (1, 8, 32):
        rows += await _stored(bench, connections, bench.scaled(400_000) // connections)
    return [*rows, *await _followed(bench)]


async def _stored(bench: Bench, connections: int, lines: int) -> list[Row]:
    name, tokens = await _run_to_log_for(bench, connections)
    router = bench.up.processes()["log-router"]
    before = router.cpu_times()
    writers = Writers(_router_port(bench), name, tokens, lines)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.lines", stdin=-1, stdout=-1)
    out, _ = await process.communicate(msgspec.json.encode(writers))
    took, after, total = float(out), router.cpu_times(), connections * lines
    busy = after.user + after.system - before.user - before.system
    ours = f"{total / took:,.0f}/s; {total / busy:,.0f}/s per core of log-router"
    rows = [rate(f"log lines stored, {connections} connections", total / busy, 200_000, ours=ours, unit="/s per core")]
    if connections == 1:
        rows.append(await _read_back(bench, name, total))
    return rows


async def _read_back(bench: Bench, name: str, lines: int) -> Row:
    """Through the API: rendered as text, by one reader; the workflow is still running, so the reader leaves at the last line."""
    began, found, first = time.perf_counter(), 0, 0.0
    limit = aiohttp.ClientTimeout(total=120)
    async with (
        aiohttp.ClientSession(bench.up.url, headers={"x-osmo-user": "bench"}, timeout=limit) as http,
        http.get(f"/api/workflow/{name}/logs") as answer,
    ):
        async for chunk in answer.content.iter_any():
            first = first or time.perf_counter() - began
            found += chunk.count(b"\n")
            if found >= lines:
                break
    took = time.perf_counter() - began
    ours = f"{found / took:,.0f}/s, first line after {first * 1000:.0f} ms"
    return rate("log lines read back, 1 reader", found / took, 200_000, ours=ours)


async def _followed(bench: Bench) -> list[Row]:
    """One line every 5 ms; from the moment it is sent by the control container to its arrival at somebody who follows."""
    name, tokens = await _run_to_log_for(bench, 1)
    count, took = bench.scaled(600), list[float]()
    url = f"http://127.0.0.1:{_router_port(bench)}/api/logger/workflow/{name}/osmo_ctrl/t0/retry_id/0"
    async with aiohttp.ClientSession() as http, http.ws_connect(url, protocols=[SUBPROTOCOL]) as ctrl:
        await ctrl.send_str(ENCODER.encode(Hello(tokens[0], "1")).decode())
        await ctrl.receive()
        following = asyncio.create_task(_follow(bench.up.url, name, count, took))
        draining = asyncio.create_task(_drain(ctrl))
        await asyncio.sleep(0.3)
        for number in range(count):
            text = f"sent {time.time()}"
            await ctrl.send_str(ENCODER.encode(Lines(number, [(int(time.time() * 1000), "STDOUT", text)])).decode())
            await asyncio.sleep(0.005)
        async with asyncio.timeout(30):
            await following
        draining.cancel()
    return [
        seconds("line sent to line on a follower's screen: p50", percentile(took, 0.5), 0.020, ours=p50_p99(took)),
        seconds("line sent to line on a follower's screen: p99", percentile(took, 0.99), 0.100),
    ]


async def _follow(url: str, name: str, count: int, took: list[float]) -> None:
    async with open_client(url, user="bench") as api:
        async for line in api.lines(f"/api/workflow/{name}/logs"):
            took.append(time.time() - float(line.rsplit(" ", 1)[1]))
            if len(took) == count:
                return


async def _drain(ctrl: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in ctrl:
        pass


async def _run_to_log_for(bench: Bench, tasks: int) -> tuple[str, list[str]]:
    """A workflow that goes on for long, and its tasks' tokens: simulated pods say nothing themselves."""
    async with open_client(bench.up.url, user="bench") as api:
        name = (await api.submit("simulated", SubmitBody(**spec("talk", tasks, run_seconds=3600)))).name
    key = (bench.up.data_dir / "task.key").read_bytes().strip()
    return name, [task_token(key, name, f"t{number}", 0) for number in range(tasks)]


def _router_port(bench: Bench) -> int:
    return int(json.loads((bench.up.data_dir / "ports.json").read_text())["log_router"])


# -- the other process ----------------------------------------------------------------------------------------------------


async def _write_all(writers: Writers) -> float:
    count = writers.lines // BATCH
    lines: list[tuple[int, str, str]] = [(int(time.time() * 1000), "STDOUT", TEXT)] * BATCH
    frames = [ENCODER.encode(Lines(number * BATCH, lines)) for number in range(count)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as together:
            for number, token in enumerate(writers.tokens):
                url = f"http://127.0.0.1:{writers.port}/api/logger/workflow/{writers.workflow}/osmo_ctrl/t{number}/retry_id/0"
                together.create_task(_write(http, url, token, frames))
        return time.perf_counter() - began


async def _write(http: aiohttp.ClientSession, url: str, token: str, frames: list[bytes]) -> None:
    acked = 0
    async with http.ws_connect(url, protocols=[SUBPROTOCOL], max_msg_size=0) as socket:
        await socket.send_str(ENCODER.encode(Hello(token, "1")).decode())
        await socket.receive()
        for sent, frame in enumerate(frames):
            while sent * BATCH - acked > WINDOW * BATCH:
                acked = await _next_acked(socket)
            await socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        while acked < len(frames) * BATCH:
            acked = await _next_acked(socket)


async def _next_acked(socket: aiohttp.ClientWebSocketResponse) -> int:
    while True:
        frame = TO_CTRL.decode((await socket.receive()).data)
        if isinstance(frame, Acked):
            return frame.next_line


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Writers)
    sys.stdout.write(str(uvloop.run(_write_all(asked))))
