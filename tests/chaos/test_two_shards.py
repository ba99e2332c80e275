"""Two shards, each with a scheduler and a standby, as processes over a real nats-server: whoever decides is killed again and again.

Nothing is decided twice, nothing is forgotten, the other shard does not notice.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec
import pytest
from tests.servers import running_nats
from tests.simulation.invariants import check_history

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import ConfigSet
from osmo_domain.errors import Transient
from osmo_domain.ids import new_uuid
from osmo_domain.pool import Backend, Platform, Pool, WorkflowSettings
from osmo_domain.requests import ExplainPending, FrontDoorAnswer, SubmitRequest, Submitted
from osmo_domain.workflow.events import WORKFLOW_CODEC, GroupPlaced
from osmo_domain.workflow.evolve import fold
from osmo_domain.workflow.status import WORKFLOW_FINISHED, WorkflowStatus
from osmo_eventlog import subjects
from osmo_eventlog.nats import apply_streams, connect
from osmo_eventlog.ports import Connection

SHARDS = 2
LEASE_TTL_S = 2
KILLS = 4
TAKES_OVER_WITHIN_S = 10.0
QUIET_WITHIN_S = 2.0
"""For a shard whose scheduler is alone."""

SPEC = """
workflow:
  name: {name}
  resources: {{default: {{gpu: 1}}}}
  tasks:
    - {{name: first, image: none, command: ["true"], environment: {{SIM_SECONDS: "{seconds}"}}}}
    - {{name: second, image: none, command: ["true"], environment: {{SIM_SECONDS: "{seconds}"}}, inputs: [{{task: first}}]}}
    - {{name: beside, image: none, command: ["true"], environment: {{SIM_SECONDS: "{seconds}"}}}}
"""


def backend_of(shard: int) -> str:
    return next(name for number in count() if subjects.shard_of(name := f"cluster-{number}", SHARDS) == shard)


@dataclass
class House:
    """Processes by name, over one nats-server. `workflows` are those that were submitted, with their shards."""

    directory: Path
    nats_url: str
    connection: Connection
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    workflows: dict[str, int] = field(default_factory=dict)
    _born: Iterator[int] = field(default_factory=count)

    def start(self, name: str, module: str, **settings: str) -> None:
        """Start a service as a process; what it says goes to a file of its name."""
        shared = {"OSMO_NATS_URL": self.nats_url, "OSMO_SHARDS": str(SHARDS), "OSMO_LEASE_TTL_S": str(LEASE_TTL_S)}
        environ = {key: value for key, value in os.environ.items() if not key.startswith("OSMO_")}
        with (self.directory / f"{name}.log").open("wb") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", module],
                env={**environ, **shared, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def start_scheduler(self, shard: int) -> str:
        name = f"scheduler-{shard}-{next(self._born)}"
        self.start(name, "osmo_scheduler", OSMO_SHARD=str(shard), OSMO_TASK_KEY_FILE=str(self.directory / "task.key"))
        return name

    def start_agent(self, shard: int) -> None:
        backend = backend_of(shard)
        state = self.directory / backend
        self.start(
            f"agent-{backend}", "osmo_agent", OSMO_BACKEND=backend, OSMO_RUNTIME="simulated", OSMO_STATE_DIR=str(state),
            OSMO_SIMULATED_NODES="4x8",
        )  # fmt: skip

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    async def configure(self) -> None:
        for shard in range(SHARDS):
            backend = backend_of(shard)
            await self._set("backend", backend, Backend(backend))
            await self._set(
                "pool",
                f"pool-{shard}",
                Pool(f"pool-{shard}", backend, default_platform="any", platforms={"any": Platform()}),
            )
        await self._set("workflow", "default", WorkflowSettings(data_url="file:///nowhere"))

    async def _set(self, kind: str, name: str, value: msgspec.Struct) -> None:
        event = ConfigSet(kind, name, msgspec.Raw(msgspec.json.encode(value)))
        commit = Commit(id=f"test/{kind}/{name}", at=datetime.now(UTC), actor="test", events=[event])
        await self.connection.log.publish(subjects.config(kind, name), encode_commit(commit), message_id=commit.id)

    async def submit(self, shard: int, seconds: float = 0.3) -> str:
        """One workflow of three tasks, through the front door; asked again while nobody answers."""
        spec = SPEC.format(name=f"shard-{shard}", seconds=seconds)
        key = new_uuid(random.Random())
        request = SubmitRequest(pool=f"pool-{shard}", user="ann", file=spec, idempotency_key=key)
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(Transient):
                    data = await self.connection.requests.ask(
                        subjects.FRONT_DOOR, msgspec.json.encode(request), timeout_s=5
                    )
                    answer: FrontDoorAnswer = msgspec.json.decode(data, type=FrontDoorAnswer)
                    assert isinstance(answer, Submitted), answer
                    self.workflows[answer.name] = shard
                    return answer.name
                await asyncio.sleep(0.05)

    async def decides(self, shard: int) -> float:
        """Wait until somebody in office answers for this shard. The seconds that it took."""
        began = time.monotonic()
        while time.monotonic() < began + 30:
            with contextlib.suppress(Transient):
                question = msgspec.json.encode(ExplainPending("nobody-1"))
                await self.connection.requests.ask(subjects.scheduler_questions(shard), question, timeout_s=0.5)
                return time.monotonic() - began
            await asyncio.sleep(0.02)
        raise AssertionError(f"nobody decides for shard {shard}")

    async def history(self, workflow_id: str) -> list[Commit[object]]:
        shard = self.workflows[workflow_id]
        records = await self.connection.log.load(subjects.workflow(shard, workflow_id))
        return [WORKFLOW_CODEC.decode(record.data) for record in records]  # type: ignore[misc]

    async def over(self, workflow_id: str, *, within_s: float = 30) -> WorkflowStatus:
        async with asyncio.timeout(within_s):
            while True:
                state = fold(await self.history(workflow_id))  # type: ignore[arg-type]
                if state is not None and state.status in WORKFLOW_FINISHED:
                    return state.status
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def house(directory: Path) -> AsyncIterator[House]:
    """Two pools on two backends of different shards, their agents, and submit; no scheduler yet."""
    (directory / "task.key").write_text("the key of a test", encoding="ascii")
    with running_nats() as nats:
        async with connect(nats.url, name="test", rng=random.Random()) as connection:
            one = House(directory, nats.url, connection)
            try:
                await apply_streams(connection)
                await one.configure()
                one.start("submit", "osmo_submit")
                for shard in range(SHARDS):
                    one.start_agent(shard)
                yield one
            finally:
                for name in list(one.processes):
                    one.kill(name)


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_a_standby_takes_over_within_seconds_and_no_decision_is_lost_or_doubled(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        holder, other = one.start_scheduler(0), one.start_scheduler(1)
        await asyncio.gather(one.decides(0), one.decides(1))
        standby, _ = one.start_scheduler(0), one.start_scheduler(1)
        stop = asyncio.Event()
        busy = asyncio.create_task(keep_busy(one, 0, stop))
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0.2, 0.6))
            one.kill(holder)
            alone = time.monotonic()
            assert await one.over(await one.submit(1, 0)) is WorkflowStatus.COMPLETED
            unaffected = time.monotonic() - alone
            took = unaffected + await one.decides(0)
            print(f"killed {holder}: shard 1 ran a workflow in {unaffected:.2f} s, shard 0 decides after {took:.2f} s")
            assert unaffected < QUIET_WITHIN_S
            assert took < TAKES_OVER_WITHIN_S
            holder, standby = standby, one.start_scheduler(0)
        stop.set()
        await busy
        ended = await asyncio.gather(*(one.over(each) for each in one.workflows))
        assert set(ended) == {WorkflowStatus.COMPLETED}
        assert one.processes[other].poll() is None, "the scheduler of the other shard never stopped"
        for workflow_id in one.workflows:
            assert await problems(one, workflow_id) == []
        print(f"{len(one.workflows)} workflows over {KILLS} kills")


async def keep_busy(one: House, shard: int, stop: asyncio.Event) -> None:
    """Workflows all the time, also while nobody decides: they wait in the log."""
    while not stop.is_set():
        await one.submit(shard)
        await asyncio.sleep(0.1)


async def problems(one: House, workflow_id: str) -> list[str]:
    """What is wrong with the history of a workflow: all that the simulation checks, and places that were given twice."""
    history = await one.history(workflow_id)
    found = list(check_history(history))  # type: ignore[arg-type]
    placed = Counter(
        (task, retry_id)
        for commit in history
        for event in commit.events
        if isinstance(event, GroupPlaced)
        for task, retry_id in event.retry_ids.items()
    )
    found += [f"{workflow_id}: {key} was placed {times} times" for key, times in placed.items() if times > 1]
    if any(retry_id for _, retry_id in placed):
        found.append(f"{workflow_id}: a task was tried again")
    return found
