"""A closed loop of HTTP clients in a process of its own: each sends its next request when it has the answer to the last.

As bare as possible, so that what is measured is the server: keep-alive, one write and one parse of the head per request.
`python -m tests.bench.load` reads a Load from stdin and writes a Loaded to stdout.
"""

import asyncio
import subprocess
import sys
import time
from typing import cast

import msgspec
import uvloop
from msgspec import Struct


class Load(Struct):
    """`most` requests in at most `seconds`, by `clients` at once. `{n}` in the path is the number of the request, six digits."""

    port: int
    method: str
    path: str
    body: str = ""
    clients: int = 1
    most: int = 100_000
    seconds: float = 3.0
    user: str = "bench"


class Loaded(Struct):
    """`latencies` in seconds, in the order of the answers; `statuses` counts them. `took` is from the first request to the last answer."""

    took: float
    latencies: list[float]
    statuses: dict[int, int]
    first_failure: str = ""

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.took


async def run_load(load: Load) -> Loaded:
    """In another process, so that it has a core of its own where there is one."""
    command = [sys.executable, "-m", "tests.bench.load"]
    # Not by uvloop, which now and then loses the end of what a process wrote before it ended.
    ended = await asyncio.to_thread(
        subprocess.run, command, input=msgspec.json.encode(load), stdout=subprocess.PIPE, check=False
    )
    assert ended.returncode == 0, f"the load generator ended with {ended.returncode}"
    loaded = msgspec.json.decode(ended.stdout, type=Loaded)
    assert set(loaded.statuses) == {200}, f"{load.method} {load.path}: {loaded.statuses} {loaded.first_failure}"
    return loaded


class _Client(asyncio.Protocol):
    """One connection: `ask` returns (status, body)."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's says so without being one

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        at = head.index(b"content-length:") + 15
        line_end = head.find(b"\r\n", at)
        length = int(head[at : line_end if line_end >= 0 else None])
        if len(self._buffer) >= head_end + 4 + length:
            body = self._buffer[head_end + 4 : head_end + 4 + length]
            self._buffer = self._buffer[head_end + 4 + length :]
            if self._answer is not None and not self._answer.done():
                self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server hung up"))


async def _run(load: Load) -> Loaded:
    loop = asyncio.get_running_loop()
    body = load.body.encode()
    head = (
        f"HTTP/1.1\r\nHost: 127.0.0.1\r\nx-osmo-user: {load.user}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    loaded = Loaded(0, [], {})
    left = load.most

    async def client() -> None:
        nonlocal left
        _, connection = await loop.create_connection(_Client, "127.0.0.1", load.port)
        while left > 0 and time.perf_counter() < until:
            left -= 1
            request = f"{load.method} {load.path.replace('{n}', f'{left:06}')} ".encode() + head
            sent = time.perf_counter()
            status, answer = await connection.ask(request)
            loaded.latencies.append(time.perf_counter() - sent)
            loaded.statuses[status] = loaded.statuses.get(status, 0) + 1
            if status != 200 and not loaded.first_failure:
                loaded.first_failure = answer.decode(errors="replace")[:500]

    began = time.perf_counter()
    until = began + load.seconds
    await asyncio.gather(*(client() for _ in range(load.clients)))
    loaded.took = time.perf_counter() - began
    return loaded


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(asked))))
