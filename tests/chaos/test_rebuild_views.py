"""PostgreSQL holds nothing that the log does not: dropped, it is rebuilt, and every answer of the API is what it was."""

import asyncio
import json
import shutil
import subprocess
import time

import aiohttp
import pytest
from tests.installation import Installation, installation
from tests.servers import postgres_program

POOL = "/api/pool/simulated/workflow"
LISTS = (
    "/api/workflow?all_users=true&all_pools=true&limit=1000",
    "/api/workflow?all_users=true&all_pools=true&limit=1000&statuses=FAILED_SUBMISSION",
    "/api/workflow?users=anna&all_pools=true&statuses=FAILED&statuses=FAILED_CANCELED",
    "/api/task?all_users=true&all_pools=true&limit=1000",
    "/api/task?all_users=true&all_pools=true&aggregate_by_workflow=true",
    "/api/users",
    "/api/pool_quota?all_pools=true",
    "/api/profile/settings",
)
OVER_WITHIN_S = 30.0


@pytest.mark.chaos
@pytest.mark.parametrize("dropped", ["database", "cluster"])
async def test_a_dropped_database_is_rebuilt_from_the_log(dropped: str) -> None:
    with installation(simulated_nodes="2x8") as up:
        async with aiohttp.ClientSession(up.url, headers={"x-osmo-user": "anna"}) as http:
            names = await _history(http)
            before = await _everything(http, names)
        if dropped == "database":
            _drop_database(up)
        await asyncio.to_thread(up.stop)
        if dropped == "cluster":
            shutil.rmtree(up.data_dir / "postgres")
        await asyncio.to_thread(up.start)
        async with aiohttp.ClientSession(up.url, headers={"x-osmo-user": "anna"}) as http:
            after = await _everything(http, names)
    different = [path for path in before if before[path] != after[path]]
    assert not different, "\n".join(f"{path}\n{before[path]}\n{after[path]}" for path in different)


async def _history(http: aiohttp.ClientSession) -> list[str]:
    """Workflows that ended in every way: completed, failed with a downstream, cancelled, rejected, restarted, tagged with labels."""
    completed = await _submit(http, _spec("good", [("a", 0, [], 0.0), ("b", 0, ["a"], 0.0)]), label="team=red")
    failed = await _submit(http, _spec("bad", [("a", 3, [], 0.0), ("b", 0, ["a"], 0.0)]), priority="LOW")
    cancelled = await _submit(http, _spec("long", [("a", 0, [], 3600.0)]))
    async with http.post(f"/api/workflow/{cancelled}/cancel", params={"message": "enough"}) as answer:
        assert answer.status == 200
    async with http.post(
        POOL, json={"file": "workflow: {name: odd, tasks: [{name: a, image: a, kommand: [a]}]}"}
    ) as no:
        assert no.status == 400
        rejected = str(json.loads(await no.read())["workflow_id"]) + "-1"
    await _until_over(http, [completed, failed, cancelled])
    async with http.post(f"{POOL}/{failed}/restart") as answer:
        again = str(json.loads(await answer.read())["name"])
    await _until_over(http, [again])
    return [completed, failed, cancelled, rejected, again]


def _spec(name: str, tasks: list[tuple[str, int, list[str], float]]) -> str:
    bodies = [
        {
            "name": task,
            "image": "none",
            "command": ["run"],
            "environment": {"SIM_EXIT_CODE": str(code), "SIM_SECONDS": str(seconds)},
            "inputs": [{"task": upstream} for upstream in upstreams],
        }
        for task, code, upstreams, seconds in tasks
    ]
    return "workflow: " + json.dumps({"name": name, "tasks": bodies})


async def _submit(http: aiohttp.ClientSession, spec: str, **params: str) -> str:
    async with http.post(POOL, json={"file": spec}, params=params) as answer:
        body = await answer.read()
        assert answer.status == 200, body
        return str(json.loads(body)["name"])


async def _until_over(http: aiohttp.ClientSession, names: list[str]) -> None:
    until = time.monotonic() + OVER_WITHIN_S
    while time.monotonic() < until:
        async with http.get(LISTS[0]) as answer:
            alive = {entry["name"] for entry in json.loads(await answer.read())["workflows"] if not entry["end_time"]}
        if not alive & set(names):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not over after {OVER_WITHIN_S} s: {alive}")


async def _everything(http: aiohttp.ClientSession, names: list[str]) -> dict[str, bytes]:
    """Every answer that a person could get about these workflows."""
    paths = [*LISTS]
    for name in names:
        paths += [f"/api/workflow/{name}?verbose=true", f"/api/workflow/{name}?skip_groups=true"]
        paths += [f"/api/workflow/{name}/{part}" for part in ("spec", "spec?use_template=true", "events", "logs")]
    answers = {}
    for path in paths:
        async with http.get(path) as answer:
            answers[path] = await answer.read()
            assert answer.status == 200, f"{path}: {answer.status} {answers[path]!r}"
    return answers


def _drop_database(up: Installation) -> None:
    """Under the feet of the running gateway, which is then stopped."""
    command = [postgres_program("dropdb"), "--force", "-h", up.database_socket, "-U", "postgres", "osmo"]
    subprocess.run(command, check=True)
