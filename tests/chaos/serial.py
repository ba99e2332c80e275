"""The workload: workflows of five tasks in a row, each of which writes a diary outside its sandbox at its start and prints numbered lines."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

TASKS = 5
LINES = 25
PAUSE_S = 0.02
ALIVE = frozenset({"PENDING", "RUNNING", "WAITING"})

SCRIPT = """
echo "{{{{workflow_id}}}} {task}" >> {diary}
i=0
while [ $i -lt {lines} ]; do echo "{task} says $i"; i=$((i + 1)); sleep {pause}; done
"""


@dataclass
class SerialRuns:
    """Submits serial workflows through a server that may come and go, and remembers what it was told. `diary` is what the tasks write to."""

    url: str
    diary: Path
    ids: dict[str, str] = field(default_factory=dict)
    """Idempotency key to the workflow that it became."""

    async def submit(self, *, within_s: float = 60) -> str:
        """Ask until there is an answer, always with the same key: it becomes one workflow, however often the answer is lost."""
        key = f"chaos-{len(self.ids)}-{random.randrange(10**9)}"
        self.ids[key] = ""
        until = time.monotonic() + within_s
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                if answer := await self._ask(key):
                    self.ids[key] = answer
                    return answer
            assert time.monotonic() < until, f"no answer to a submission for {within_s} s"
            await asyncio.sleep(0.05)

    async def _ask(self, key: str) -> str:
        """The id of the workflow; empty where the server says that it cannot just now."""
        headers = {"x-osmo-user": "chaos", "Idempotency-Key": key}
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(self.url, headers=headers, timeout=timeout) as http,
            http.post("/api/pool/default/workflow", json={"file": self._spec()}) as answer,
        ):
            body = await answer.read()
            assert answer.status in {200, 503}, f"{answer.status}: {body!r}"
            return str(json.loads(body)["name"]) if answer.status == 200 else ""

    def _spec(self) -> str:
        return "workflow: " + json.dumps({"name": "serial", "tasks": [self._task(n) for n in range(TASKS)]})

    def _task(self, number: int) -> dict[str, object]:
        script = SCRIPT.format(task=f"t{number}", diary=self.diary, lines=LINES, pause=PAUSE_S)
        upstream = [{"task": f"t{number - 1}"}] if number else []
        return {"name": f"t{number}", "image": "none", "command": ["sh", "-c"], "args": [script], "inputs": upstream}

    async def statuses(self) -> dict[str, str]:
        """Of every workflow that the server knows."""
        async with aiohttp.ClientSession(self.url, headers={"x-osmo-user": "chaos"}) as http:
            params = {"limit": "1000", "all_users": "true", "all_pools": "true"}
            async with http.get("/api/workflow", params=params) as answer:
                body = await answer.read()
                assert answer.status == 200, body
        return {entry["name"]: entry["status"] for entry in json.loads(body)["workflows"]}

    async def alive(self) -> int:
        return sum(status in ALIVE for status in (await self.statuses()).values())

    async def wait_until_over(self, *, within_s: float) -> None:
        until = time.monotonic() + within_s
        while True:
            statuses = await self.statuses()
            if all(statuses.get(name, "PENDING") not in ALIVE for name in self.ids.values()):
                return
            stuck = sorted(name for name, status in statuses.items() if status in ALIVE)
            assert time.monotonic() < until, f"not over after {within_s} s: {stuck}"
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def diary() -> Iterator[Path]:
    """A file that tasks see under the same path: not below /tmp, which is each task's own."""
    directory = Path(tempfile.mkdtemp(prefix="osmo-chaos-", dir="/var/tmp"))
    try:
        yield directory / "diary"
    finally:
        shutil.rmtree(directory)


def seeded() -> random.Random:
    """All moments of a run come from one number, which is printed; CHAOS_SEED gives it again."""
    seed = int(os.environ.get("CHAOS_SEED") or time.time_ns() % 10**9)
    print(f"CHAOS_SEED={seed}")
    return random.Random(seed)
