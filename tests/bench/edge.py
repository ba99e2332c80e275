"""The HTTP edge: what answers without changing anything, and submissions."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.bench import POOL, Bench, spec
from tests.bench.load import Loaded
from tests.bench.machine import cpu_seconds
from tests.bench.table import Row, p50_p99, percentile, rate, seconds
from tests.installation import free_port

READS = (
    ("list of 20", "/api/workflow?limit=20&order=DESC&all_users=true&all_pools=true", 4_000),
    ("list of 1,000", "/api/workflow?limit=1000&order=DESC&all_users=true&all_pools=true", 300),
    ("query, 1 task", "/api/workflow/reads-1", 4_000),
    ("task list of 20", "/api/task?limit=20&all_users=true&all_pools=true", 1_500),
    ("pool quota", "/api/pool_quota?all_pools=true", 3_000),
)
_UNLIKE = f"{READS[0][1]}&submitted_before=2100-01-01T00:00:00.{{n}}"


async def reads(bench: Bench) -> list[Row]:
    """GETs, beside the bare HTTP stack."""
    async with _hello() as port:
        bare = {clients: await bench.load("GET", "/", clients=clients, port=port) for clients in (1, 8, 32)}
    await bench.submit_many(spec("reads", run_seconds=3600), 1, clients=1)
    await bench.submit_many(spec("many", run_seconds=3600), bench.scaled(1_000), clients=8)
    version = await _read(bench, "GET version", "/api/version", 8_000, 8, bare[8])
    rows = [
        await _read(bench, what, path, bar if clients > 1 else None, clients, bare[clients])
        for what, path, bar in READS
        for clients in (1, 8, 32)
    ]
    unlike = await _read(bench, "list of 20, no two the same", _UNLIKE, 4_000, 8, bare[8])
    meanwhile = [await _beside_submissions(bench, what, path) for what, path, _ in READS[:2]]
    return [version, *rows, unlike, await _small_beside_large(bench), *meanwhile]


async def _beside_submissions(bench: Bench, what: str, path: str) -> Row:
    """The views move all the time, so that next to nothing of what was read can be used again. The lists wait for nobody's own writes."""
    async with asyncio.TaskGroup() as together:
        lists = together.create_task(bench.load("GET", path, clients=8))
        body = spec("meanwhile", run_seconds=3600)
        submissions = together.create_task(bench.load("POST", POOL, clients=1, body=body, user="other"))
    title = f"{what}, 8 clients, beside 1 that submits"
    return _row(title, lists.result(), None, f"{submissions.result().per_second:,.0f} submissions/s")


async def _small_beside_large(bench: Bench) -> Row:
    """What one client that asks small questions has to wait for among those that ask large ones."""
    (_, lists, _), (_, query, _) = READS[1:3]
    async with asyncio.TaskGroup() as together:
        large = together.create_task(bench.load("GET", lists, clients=8))
        small = together.create_task(bench.load("GET", query, clients=1))
    return _row(
        "query, 1 client, beside 8 that list 1,000", small.result(), None, f"{large.result().per_second:,.0f} lists/s"
    )


async def _read(bench: Bench, what: str, path: str, bar: float | None, clients: int, bare: Loaded) -> Row:
    loaded = await bench.load("GET", path, clients=clients)
    return _row(f"{what}, {clients} clients", loaded, bar, f"aiohttp alone {bare.per_second:,.0f}/s")


async def checks(bench: Bench) -> list[Row]:
    """Validation and dry runs: everything of a submission but the append."""
    rows = []
    for what, flag, bar in (("validate", "validation_only", 1_200), ("dry run", "dry_run", 1_500)):
        for clients in (1, 8, 32):
            loaded = await bench.load("POST", f"{POOL}?{flag}=true", clients=clients, body=spec("checked"))
            rows.append(_row(f"{what}, 1 task, {clients} clients", loaded, bar if clients > 1 else None, ""))
    for tasks, bar in ((100, 60), (1_000, None), (10_000, None)):
        loaded = await bench.load("POST", f"{POOL}?validation_only=true", clients=1, body=spec("large", tasks), most=20)
        rows.append(_row(f"validate, {tasks:,} tasks, 1 client", loaded, bar, ""))
    return rows


async def submissions(bench: Bench) -> list[Row]:
    """Durable before the answer. The tasks are placed and run on, so that nothing but submitting and starting goes on."""
    limit = await _appends(bench)
    rows = []
    for clients, p99_bar in ((1, None), (8, 0.030), (32, 0.100)):
        body = spec(f"submitted{clients}", run_seconds=3600)
        before = cpu_seconds(bench.up)
        loaded = await bench.load("POST", POOL, clients=clients, body=body, most=bench.scaled(4_000))
        title = f"submit, 1 task, {clients} clients"
        if clients == 1:
            median = percentile(loaded.latencies, 0.5)
            rows.append(seconds(f"{title}: p50", median, 0.003, ours=f"{p50_p99(loaded.latencies)}", limit=limit))
        else:
            each = (cpu_seconds(bench.up) - before) / len(loaded.latencies)
            rows.append(_row(title, loaded, 1_000, f"{limit}; {each * 1000:.2f} ms of CPU each, in all processes"))
            rows.append(seconds(f"{title}: p99", percentile(loaded.latencies, 0.99), p99_bar))
        await _settled(bench)
    for what, chain in (("100 independent tasks", False), ("a chain of 100 tasks", True)):
        body = spec("hundred", 100, chain=chain, run_seconds=3600)
        loaded = await bench.load("POST", POOL, clients=1, body=body, most=bench.scaled(100))
        rows.append(_row(f"submit, {what}, 1 client", loaded, 50, ""))
        await _settled(bench)
    return rows


def _row(what: str, loaded: Loaded, bar: float | None, limit: str) -> Row:
    ours = f"{loaded.per_second:,.0f}/s, {p50_p99(loaded.latencies)}"
    return rate(what, loaded.per_second, bar, ours=ours, limit=limit)


async def _appends(bench: Bench) -> str:
    """What the log alone takes: one at a time, and 32 in flight."""
    async with bench.log() as connection:
        found = []
        for writers in (1, 32):
            count = bench.scaled(5_000) // writers

            async def write(writer: int, count: int = count, writers: int = writers) -> None:
                for number in range(count):
                    message_id = f"append-{writers}-{writer}-{number}"
                    await connection.log.publish(f"osmo.log.appends.t{writer}.0", b"x" * 500, message_id=message_id)

            began = asyncio.get_running_loop().time()
            await asyncio.gather(*(write(writer) for writer in range(writers)))
            found.append(count * writers / (asyncio.get_running_loop().time() - began))
    return f"raw appends {found[0]:,.0f}/s one at a time, {found[1]:,.0f}/s with 32"


async def _settled(bench: Bench) -> None:
    """Until the log stands still: what was submitted has been placed and runs."""
    async with bench.log() as connection, asyncio.timeout(60):
        before = -1
        while (now := await connection.log.last_seq("WORKFLOWS")) != before:
            before = now
            await asyncio.sleep(0.5)


@asynccontextmanager
async def _hello() -> AsyncIterator[int]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.hello", str(port))
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield port
    finally:
        process.kill()
        await process.wait()
