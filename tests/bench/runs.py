"""Runs on simulated nodes, from the submission to the last event, timed by what the log says."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime

import aiohttp
from tests.bench.bench import Bench, spec, until_finished
from tests.bench.table import Row, p50_p99, percentile, rate, seconds

from osmo_api.client import ApiClient, open_client
from osmo_api.http import SubmitBody
from osmo_domain.cluster import PodFact, PodPhase, PodsSeen
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowSubmitted
from osmo_eventlog.following import CLUSTER_CODEC
from osmo_eventlog.ports import After, Connection
from osmo_eventlog.subjects import CLUSTERS, WORKFLOWS


async def latency(bench: Bench) -> list[Row]:
    """One at a time on an idle system: from the answer-worthy append to the pod that the backend was asked for."""
    async with bench.log() as connection, open_client(bench.up.url, user="bench") as api:
        before = await _positions(connection)
        rng = random.Random(1)
        for number in range(bench.scaled(200)):
            await _submit(api, f"idle-{number}")
            await asyncio.sleep(rng.uniform(0.01, 0.05))
        took = await _submit_to_pod(connection, before)
    return [
        seconds("submit to pod create, idle: p50", percentile(took, 0.5), 0.020, ours=p50_p99(took)),
        seconds("submit to pod create, idle: p99", percentile(took, 0.99), 0.100),
    ]


async def burst(bench: Bench) -> list[Row]:
    """100 workflows at once from 8 clients, and one workflow of 100 tasks."""
    async with bench.log() as connection, open_client(bench.up.url, user="bench") as api:
        before = await _positions(connection)
        began = time.time()
        await bench.submit_many(spec("burst", run_seconds=3600), 100, clients=8)
        pods = await _pods(connection, before[1], 100, "burst-")
        placed = max(pod.at.timestamp() for pod in pods.values()) - began
        before = await _positions(connection)
        began = time.time()
        await api.submit("simulated", SubmitBody(**spec("wide", 100, run_seconds=3600)))
        wide = sorted(pod.at.timestamp() - began for pod in (await _pods(connection, before[1], 100, "wide-")).values())
    return [
        rate("burst of 100 workflows, 8 clients: groups handed out", 100 / placed, 300),
        seconds("100 parallel tasks: first pod created", wide[0], 0.050),
        seconds("100 parallel tasks: last pod created", wide[-1], 0.400),
    ]


async def visible(bench: Bench) -> list[Row]:
    """100 workflows whose pods end at random moments: from the pod's change to the first answer that shows it (polled, so an upper bound)."""
    async with bench.log() as connection, aiohttp.ClientSession(bench.up.url, headers={"x-osmo-user": "seen"}) as http:
        _, clusters = await _positions(connection)
        async with open_client(bench.up.url, user="seen") as api:
            rng = random.Random(2)
            bodies = [spec("seen", run_seconds=rng.uniform(1, 2 if bench.quick else 4)) for _ in range(100)]
            await asyncio.gather(*(api.submit("simulated", SubmitBody(**body)) for body in bodies))
        shown: dict[str, float] = {}
        async with asyncio.timeout(60):
            while len(shown) < 100:
                async with http.get("/api/workflow?limit=100&all_pools=true&statuses=COMPLETED") as answer:
                    found = (await answer.json())["workflows"]
                now = time.time()
                for entry in found:
                    shown.setdefault(entry["name"], now)
                await asyncio.sleep(0.002)
        ended = await _pods(connection, clusters, 100, "seen-", PodPhase.SUCCEEDED)
    took = [shown[name] - pod.at.timestamp() for (name, _), pod in ended.items()]
    return [
        seconds("pod change visible in the API, 100 workflows: p99", percentile(took, 0.99), 0.100, ours=p50_p99(took))
    ]


async def throughput(bench: Bench) -> list[Row]:
    """One-task workflows, submitted by 8 clients as fast as they are taken, until the last one is COMPLETED."""
    count = bench.scaled(3_000)
    async with bench.log() as connection:
        before, _ = await _positions(connection)
        began = time.perf_counter()
        done = asyncio.create_task(until_finished(connection, before, count))
        await bench.submit_many(spec("throughput"), count, clients=8)
        submitted = time.perf_counter() - began
        await done
        took = time.perf_counter() - began
    ours = f"{count / took:,.0f}/s ({count:,} in {took:.1f} s; submitted in {submitted:.1f} s)"
    return [rate("one-task workflows end to end", count / took, 300, ours=ours)]


async def large(bench: Bench) -> list[Row]:
    """A fan-out and a chain of 1,000 tasks."""
    rows = []
    async with bench.log() as connection, open_client(bench.up.url, user="bench") as api:
        for what, chain in (("fan-out", False), ("chain", True)):
            tasks = bench.scaled(1_000)
            before, _ = await _positions(connection)
            began = time.perf_counter()
            await api.submit("simulated", SubmitBody(**spec(what, tasks, chain=chain)))
            submitted = time.perf_counter() - began
            await until_finished(connection, before, 1)
            took = time.perf_counter() - began
            rows.append(seconds(f"{what} of {tasks:,} tasks: submit", submitted, 1))
            rows.append(seconds(f"{what} of {tasks:,} tasks: all done", took, 10))
    return rows


# -- reading the log ------------------------------------------------------------------------------------------------------


async def _submit(api: ApiClient, name: str) -> None:
    await api.submit("simulated", SubmitBody(**spec(name)))


async def _positions(connection: Connection) -> tuple[int, int]:
    return await connection.log.last_seq(WORKFLOWS), await connection.log.last_seq(CLUSTERS)


async def _submit_to_pod(connection: Connection, before: tuple[int, int]) -> list[float]:
    """Seconds between the two, per workflow submitted behind these positions."""
    submitted: dict[str, datetime] = {}
    async for event in _events(connection, WORKFLOWS, before[0]):
        if isinstance(event, WorkflowSubmitted):
            submitted[event.workflow_id] = event.at
    pods = await _pods(connection, before[1], len(submitted), "idle-")
    return [(pods[name, "t0"].at - at).total_seconds() for name, at in submitted.items()]


async def _pods(
    connection: Connection, after: int, count: int, prefix: str, phase: PodPhase | None = None
) -> dict[tuple[str, str], PodFact]:
    """The first fact (of this phase) about each pod of workflows with this prefix, once there are so many. A pod's `at` is when it happened."""
    found: dict[tuple[str, str], PodFact] = {}
    async with asyncio.timeout(60):
        while len(found) < count:
            found.clear()
            async for event in _events(connection, CLUSTERS, after):
                for pod in event.pods if isinstance(event, PodsSeen) else ():
                    if pod.workflow_id.startswith(prefix) and phase in {None, pod.phase}:
                        found.setdefault((pod.workflow_id, pod.task), pod)
            await asyncio.sleep(0.05)
    return found


async def _events(connection: Connection, stream: str, after: int) -> AsyncIterator[object]:
    """Every event of the stream behind the position, up to now."""
    last = await connection.log.last_seq(stream)
    if last <= after:
        return
    codec = WORKFLOW_CODEC if stream == WORKFLOWS else CLUSTER_CODEC
    async with aclosing(connection.log.follow(stream, [], After(after))) as batches:
        async for batch in batches:
            for record in batch:
                for event in codec.decode(record.data).events:
                    yield event
            if batch[-1].seq >= last:
                return
