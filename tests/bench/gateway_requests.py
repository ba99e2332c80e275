"""Requests per second of a gateway over real servers: `python -m tests.bench.gateway_requests [--stored 20000] [--clients 1 8] [--only query]`.

Every process runs as it does in an installation. In the same run, on the same machine: bare aiohttp, and aiohttp with asyncpg and one row by
name. The figures mean something as ratios to those. CPU is that of gateway + submit + PostgreSQL, each with its children.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import psutil
import uvloop
from aiohttp import web
from tests.bench.http_load import get, measure, post
from tests.servers import running_nats, running_postgres

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.ids import derived_uuid
from osmo_domain.plan import GroupPlan, Plan, Resources, TaskPlan
from osmo_domain.pool import Backend, GpuQuota, Platform, Pool
from osmo_domain.workflow import events as e
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_eventlog import subjects
from osmo_eventlog.nats import apply_streams, connect
from osmo_gateway.seeding import Seed

T0 = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
LARGE = 100
"""Tasks of a large workflow."""
SEED = Seed(
    pools=(Pool(name="default", backend="b1", default_platform="gpu", platforms={"gpu": Platform()}, gpu=GpuQuota()),),
    backends=(Backend(name="b1"),),
)
SPEC = "workflow:\n  name: {}\n  tasks:\n  - name: hello\n    image: ubuntu\n    command: [echo, hi]\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", type=int, default=20_000)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    options = parser.parse_args()
    with running_nats() as nats, running_postgres() as postgres, contextlib.ExitStack() as stack:
        uvloop.run(fill(nats.url, options.stored))
        database = postgres.create_database("osmo")
        port, services = stack.enter_context(gateway_and_submit(nats.url, database))
        house = port, (*services, postgres.pid)
        alone = stack.enter_context(bare(database))
        for name, requests in questions(options.stored).items():
            if options.only in name or name.startswith("bare"):
                for clients in options.clients:
                    show(name, *(alone if name.startswith("bare") else house), requests, clients, options.seconds)
        for name, make in submissions().items():
            if options.only in name:
                for clients in options.clients:
                    show(name, *house, make(clients), clients, options.seconds, once=True)


def show(
    name: str,
    port: int,
    pids: Sequence[int],
    requests: Sequence[bytes],
    clients: int,
    seconds: float,
    *,
    once: bool = False,
) -> None:
    """One line: requests per second, latencies, and what a request costs each process in microseconds of CPU, which noise changes least."""
    before = [cpu_seconds(pid) for pid in pids]
    measured = measure(port, requests, clients=clients, seconds=seconds, once=once)
    spent = [(cpu_seconds(pid) - was) / measured.count * 1e6 for pid, was in zip(pids, before, strict=True)]
    print(f"{name:24} {clients:3}  {measured}   CPU {' + '.join(f'{one:5.0f}' for one in spent)} us", flush=True)


def cpu_seconds(pid: int) -> float:
    """Of a process and its children, those that are over included."""
    process = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:4]) for one in (process, *process.children(recursive=True)))


def questions(stored: int) -> Mapping[str, Sequence[bytes]]:
    some = range(1, stored, max(1, stored // 500))
    return {
        "bare aiohttp": [get("/fixed")],
        "bare aiohttp + asyncpg": [get(f"/row/w-{n}") for n in some],
        "version": [get("/api/version")],
        "query 1 task": [get(f"/api/workflow/w-{n}") for n in some],
        "query 1 task, cold": [get(f"/api/workflow/w-{n}") for n in range(1, stored)],
        "query 100 tasks": [get(f"/api/workflow/large-{n}") for n in range(1, 41)],
        "list 20": [get("/api/workflow?all_pools=true&order=DESC&limit=20")],
        "list 20 of user": [
            get("/api/workflow?all_pools=true&order=DESC&limit=20", x_osmo_user=f"u{n}") for n in range(10)
        ],
        "list 1000": [get("/api/workflow?all_pools=true&order=DESC&limit=1000")],
        "list 1000, running": [get("/api/workflow?all_pools=true&order=DESC&limit=1000&statuses=RUNNING")],
        "list 20, no two the same": [
            get(
                f"/api/workflow?all_pools=true&order=DESC&limit=20&submitted_before={T0 + timedelta(seconds=n):%Y-%m-%dT%H:%M:%S}"
            )
            for n in range(20, stored)
        ],
        "task list 20": [get("/api/task?all_pools=true&all_users=true&limit=20")],
        "task list 20, running": [get("/api/task?all_pools=true&all_users=true&limit=20&statuses=RUNNING")],
        "pool quota": [get("/api/pool_quota")],
    }


def submissions() -> Mapping[str, Callable[[int], Sequence[bytes]]]:
    def bodies(*names: str, path: str = "/api/pool/default/workflow", **more: str) -> list[bytes]:
        return [post(path, msgspec.json.encode({"file": SPEC.format(name)})) for name in names]

    return {
        "submit": lambda clients: bodies(*(f"bench-{clients}-{n % 50}" for n in range(20_000))),
        "submit, fresh names": lambda clients: bodies(*(f"fresh-{clients}-x{n}" for n in range(20_000))),
        "submit, one name": lambda clients: bodies(*(f"same-{clients}" for _ in range(20_000))),
        "validate": lambda _: bodies(*["valid"] * 20_000, path="/api/pool/default/workflow?validation_only=true"),
        "dry run": lambda _: bodies(*["dry"] * 20_000, path="/api/pool/default/workflow?dry_run=true"),
    }


async def fill(url: str, stored: int) -> None:
    """Workflows of one task, one in ten of them running, and some large ones."""
    async with connect(url, name="bench", rng=random.Random(1)) as connection:
        await apply_streams(connection)
        names = [(f"w-{n}", 1, n % 10 != 0) for n in range(1, stored)] + [
            (f"large-{n}", LARGE, n % 2 == 0) for n in range(1, 41)
        ]
        room = asyncio.Semaphore(256)

        async def append(number: int, name: str, tasks: int, over: bool) -> None:
            async with room:
                commit = Commit[e.WorkflowEvent](f"c-{name}", T0, "bench", history(number, name, tasks, over=over))
                await connection.log.append(
                    subjects.workflow(0, name), encode_commit(commit), message_id=commit.id, expected=0
                )

        await asyncio.gather(*(append(number, *one) for number, one in enumerate(names)))


def history(number: int, workflow_id: str, tasks: int, *, over: bool) -> list[e.WorkflowEvent]:
    at = T0 + timedelta(seconds=number)
    asked = Resources(cpu=2, gpu=1, memory_bytes=4 << 30, storage_bytes=1 << 30)
    names = [f"task-{n}" for n in range(tasks)]
    groups = tuple(
        GroupPlan(name=f"{name}-group", tasks=(TaskPlan(name=name, image="i", command=("c",), resources=asked),))
        for name in names
    )
    plan = Plan(
        name=workflow_id.rpartition("-")[0], pool="default", backend="b1", groups=groups, labels={"team": "vision"}
    )
    found: list[e.WorkflowEvent] = [
        e.WorkflowSubmitted(
            workflow_id=workflow_id, uuid=derived_uuid(workflow_id), user=f"u{number % 10}", at=at, plan=plan
        )
    ]
    for name in names:
        found += [
            e.GroupQueued(group=f"{name}-group", at=at),
            e.GroupPlaced(group=f"{name}-group", at=at, backend="b1", nodes={name: "g1"}, retry_ids={name: 0}),
            e.TaskInitializing(task=name, retry_id=0, at=at),
            e.TaskRunning(task=name, retry_id=0, at=at, ip="10.0.0.9"),
        ]
        if over:
            found += [
                e.TaskFinished(task=name, retry_id=0, status=TaskStatus.COMPLETED, at=at, exit_code=0),
                e.GroupFinished(group=f"{name}-group", status=TaskStatus.COMPLETED, at=at),
            ]
    return [*found, e.WorkflowFinished(status=WorkflowStatus.COMPLETED, at=at)] if over else found


@contextlib.contextmanager
def gateway_and_submit(nats_url: str, database_url: str) -> Iterator[tuple[int, Sequence[int]]]:
    """The two services, each in its process; the gateway's port, and their process ids."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        seed = Path(directory) / "seed.json"
        seed.write_bytes(msgspec.json.encode(SEED))
        environ = {
            **os.environ,
            "OSMO_NATS_URL": nats_url,
            "OSMO_DATABASE_URL": database_url,
            "OSMO_PORT": str(port),
            "OSMO_SEED_FILE": str(seed),
        }
        with (
            started("osmo_gateway", environ, directory) as gateway,
            started("osmo_submit", environ, directory) as submit,
        ):
            yield port, (gateway, submit)


@contextlib.contextmanager
def started(module: str, environ: Mapping[str, str], directory: str) -> Iterator[int]:
    ready, write = os.pipe()
    code = f"import os; from {module}.__main__ import serve; serve(os.environ, {write})"
    with Path(directory, f"{module}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code], env=dict(environ), pass_fds=[write], stderr=log)
    os.close(write)
    try:
        assert os.read(ready, 6) == b"ready\n", Path(directory, f"{module}.log").read_text()
        yield process.pid
    finally:
        os.close(ready)
        process.terminate()
        process.wait()


@contextlib.contextmanager
def bare(database_url: str) -> Iterator[tuple[int, Sequence[int]]]:
    """aiohttp alone (`/fixed`), and with one row by name through asyncpg (`/row/<id>`), in a process of its own."""
    port = free_port()
    context = multiprocessing.get_context("fork")
    listening = context.Event()
    process = context.Process(target=lambda: uvloop.run(serve_bare(port, database_url, listening.set)))
    process.start()
    listening.wait()
    assert process.pid is not None
    try:
        yield port, (process.pid,)
    finally:
        process.terminate()
        process.join()


async def serve_bare(port: int, database_url: str, listening: Callable[[], None]) -> None:
    pool = await asyncpg.create_pool(database_url, min_size=8, max_size=8)

    async def fixed(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 200, content_type="application/json")

    async def row(request: web.Request) -> web.Response:
        found = await pool.fetchrow("SELECT * FROM workflows WHERE workflow_id = $1", request.match_info["id"])
        return web.Response(body=found["uuid"].encode(), content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/fixed", fixed), web.get("/row/{id}", row)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    listening()
    await asyncio.Event().wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
