"""What every measurement is given, and helpers that several of them use."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from tests.bench.load import Load, Loaded, run_load
from tests.installation import Installation

from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowFinished
from osmo_eventlog.nats import connect
from osmo_eventlog.ports import After, Connection
from osmo_eventlog.subjects import WORKFLOWS

POOL = "/api/pool/simulated/workflow"
DONE_WITHIN_S = 120.0


@dataclass
class Bench:
    """`up` is an installation of its own, with simulated nodes. `quick` makes everything short and the figures rough."""

    up: Installation
    quick: bool

    def scaled(self, number: int) -> int:
        return max(1, number // 10) if self.quick else number

    @property
    def seconds(self) -> float:
        return 0.5 if self.quick else 3.0

    async def load(
        self,
        method: str,
        path: str,
        *,
        clients: int,
        body: object = None,
        most: int = 100_000,
        port: int = 0,
        user: str = "bench",
    ) -> Loaded:
        """As many requests as fit into `seconds`, and no more than `most`."""
        text = json.dumps(body) if body is not None else ""
        return await run_load(Load(port or self.up.port, method, path, text, clients, most, self.seconds, user))

    async def submit_many(self, body: object, count: int, *, clients: int) -> None:
        """This many, however long it takes."""
        load = Load(self.up.port, "POST", POOL, json.dumps(body), clients, count, DONE_WITHIN_S)
        assert len((await run_load(load)).latencies) == count

    @asynccontextmanager
    async def log(self) -> AsyncIterator[Connection]:
        async with connect(self.up.nats_url, name="bench", rng=random.Random(1)) as connection:
            yield connection


def spec(
    name: str, tasks: int = 1, *, chain: bool = False, run_seconds: float = 0.0, **environment: str
) -> dict[str, str]:
    """The body of a submission. JSON is YAML."""
    bodies = [
        {
            "name": f"t{number}",
            "image": "alpine:3.20",
            "command": ["sh", "-c", "train"],
            "environment": {"SIM_SECONDS": str(run_seconds), **environment},
            "inputs": [{"task": f"t{number - 1}"}] if chain and number else [],
        }
        for number in range(tasks)
    ]
    return {"file": "workflow: " + json.dumps({"name": name, "tasks": bodies})}


async def until_finished(connection: Connection, after: int, names: Sequence[str] | int) -> None:
    """Follow the log behind `after` until these workflows (or that many) are finished."""
    left = names if isinstance(names, int) else len(names)
    async with asyncio.timeout(DONE_WITHIN_S):
        async with aclosing(connection.log.follow(WORKFLOWS, ["osmo.workflow.>"], After(after))) as batches:
            async for batch in batches:
                for record in batch:
                    if b"workflow.finished" not in record.data:
                        continue
                    events = WORKFLOW_CODEC.decode(record.data).events
                    left -= sum(isinstance(event, WorkflowFinished) for event in events)
                if left <= 0:
                    return
