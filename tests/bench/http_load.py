"""A closed loop of HTTP/1.1 clients in a process of its own: each sends a request, reads its answer, and sends the next.

The requests are bytes that were made before, and answers are only read to their end, so that the client costs little beside the server.
"""

import asyncio
import itertools
import multiprocessing
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import uvloop

MakeRequests = Callable[[int], Iterator[bytes]]
"""For the client of this number: its requests, without end."""

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)")


@dataclass(frozen=True, slots=True)
class Measured:
    """`refused` counts answers other than 200."""

    count: int
    per_second: float
    p50_ms: float
    p99_ms: float
    refused: int

    def __str__(self) -> str:
        wrong = f"  ({self.refused} not 200)" if self.refused else ""
        return f"{self.per_second:8,.0f} req/s   p50 {self.p50_ms:6.2f}   p99 {self.p99_ms:6.2f} ms{wrong}"


def get(path: str, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{lines}\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def cycle(requests: Sequence[bytes]) -> MakeRequests:
    """Every client goes round the same requests, each from another start."""
    return lambda number: itertools.cycle(
        requests[number * 97 % len(requests) :] + requests[: number * 97 % len(requests)]
    )


def measure(port: int, requests: Sequence[bytes], *, clients: int, seconds: float, once: bool = False) -> Measured:
    """`once` divides the requests among the clients and sends each once (at most for `seconds`); otherwise they are repeated."""
    context = multiprocessing.get_context("fork")
    answer: multiprocessing.Queue[Measured] = context.Queue()
    process = context.Process(target=_in_its_process, args=(port, list(requests), clients, seconds, once, answer))
    process.start()
    measured = answer.get(timeout=seconds + 60)
    process.join()
    return measured


def _in_its_process(
    port: int,
    requests: list[bytes],
    clients: int,
    seconds: float,
    once: bool,
    answer: "multiprocessing.Queue[Measured]",
) -> None:
    answer.put(uvloop.run(_measure(port, requests, clients, seconds, once)))


async def _measure(port: int, requests: list[bytes], clients: int, seconds: float, once: bool) -> Measured:
    took: list[float] = []
    refused: list[bytes] = []
    began = time.perf_counter()

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        for request in requests[number::clients] if once else cycle(requests)(number):
            start = time.perf_counter()
            if start - began > seconds:
                break
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            took.append(time.perf_counter() - start)
            if not head.startswith(b"HTTP/1.1 200"):
                refused.append(head)
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    spent = time.perf_counter() - began
    took.sort()
    return Measured(
        len(took), len(took) / spent, took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000, len(refused)
    )
