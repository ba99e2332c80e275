"""`python -m tests.bench.task_cost [--quick] [--write]`: what one task costs, in messages, bytes, rows, writes and CPU of every part.

An `osmo up` of its own runs one-task workflows, workflows of 100 tasks, and real tasks that print lines; everything is counted before and after.
What the system does without any work is measured first, and taken off. `--write` puts the tables into docs/scaling.md.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import asyncpg
import nats
from nats.aio.msg import Msg
from tests.bench.bench import POOL, Bench, spec, until_finished
from tests.bench.load import Load, run_load
from tests.installation import Installation, installation

from osmo_api.client import open_client
from osmo_api.http import SubmitBody
from osmo_eventlog.streams import BUCKETS, STREAMS
from osmo_eventlog.subjects import WORKFLOWS

NODES = "1000x8"
PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
LINES = 100
SETTLED_S = 12.0
"""For the views, the last acknowledgements, and PostgreSQL's statistics, which idle sessions tell only after ten seconds."""

Work = Callable[[], Awaitable[float]]
"""Does it, and says how many seconds it took."""

STREAM_NAMES = [each.name for each in STREAMS] + [bucket.name for bucket in BUCKETS]


@dataclass
class Counts:
    """Everything that was counted up to now, by a name like `messages WORKFLOWS`, and when."""

    at: float
    numbers: dict[str, float]

    def since(self, before: "Counts", idle: Mapping[str, float]) -> dict[str, float]:
        """What was added, less what the time alone adds."""
        took = self.at - before.at
        return {
            name: max(0.0, number - before.numbers.get(name, 0) - took * idle.get(name, 0))
            for name, number in self.numbers.items()
        }


@dataclass
class Meter:
    """Reads the counters of one installation. Commands are gone when they are done: their bytes are heard as they pass."""

    up: Installation
    client: nats.NATS
    database: "asyncpg.Connection[asyncpg.Record]"
    heard: dict[str, float] = field(default_factory=lambda: {"bytes COMMANDS": 0.0})

    async def hear(self, message: Msg) -> None:
        self.heard["bytes COMMANDS"] += len(message.data) + len(message.subject)

    async def read(self) -> Counts:
        numbers = {**await self._streams(), **self._processes(), **await self._tables(), **self.heard}
        return Counts(time.monotonic(), numbers)

    async def _streams(self) -> dict[str, float]:
        found: dict[str, float] = {}
        js = self.client.jetstream()
        for name in STREAM_NAMES:
            state = (await js.stream_info(name)).state
            found[f"messages {name}"] = state.last_seq
            if name != "COMMANDS":
                found[f"bytes {name}"] = state.bytes
        return found

    def _processes(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, process in self.up.processes().items():
            family = [process, *(process.children(recursive=True) if name in {"postgresql", "submit"} else [])]
            times = [one.cpu_times() for one in family]
            writes = [one.io_counters() for one in family]
            found[f"cpu {name}"] = sum(each.user + each.system for each in times)
            found[f"write calls {name}"] = sum(each.write_count for each in writes)
        return found

    async def _tables(self) -> dict[str, float]:
        await self.database.execute("select pg_stat_clear_snapshot()")
        rows = await self.database.fetch(
            "select relname, n_tup_ins, n_tup_upd, n_tup_del, pg_total_relation_size(relid) as size from pg_stat_user_tables"
        )
        found: dict[str, float] = {}
        for row in rows:
            found[f"rows inserted {row['relname']}"] = row["n_tup_ins"]
            found[f"rows updated {row['relname']}"] = row["n_tup_upd"]
            found[f"bytes table {row['relname']}"] = row["size"]
        found["bytes wal"] = await self.database.fetchval("select pg_current_wal_lsn() - '0/0'::pg_lsn")
        found["transactions"] = await self.database.fetchval(
            "select xact_commit from pg_stat_database where datname = current_database()"
        )
        return {name: float(number) for name, number in found.items()}


@dataclass(frozen=True)
class Run:
    """One kind of work: how many tasks, how long it took, and what it added."""

    what: str
    tasks: int
    took_s: float
    added: Mapping[str, float]

    def per_task(self, name: str) -> float:
        return self.added.get(name, 0.0) / self.tasks


async def measure(*, quick: bool) -> tuple[dict[str, float], list[Run]]:
    """What a second costs while nothing is asked of it, and what each kind of work adds."""
    with installation(simulated_nodes=NODES) as up:
        client = await nats.connect(up.nats_url)
        database = await asyncpg.connect(up.database_url)
        try:
            meter = Meter(up, client, database)
            await client.subscribe("osmo.command.>", cb=meter.hear)
            bench = Bench(up, quick)
            await _real(bench, 1)
            await asyncio.sleep(SETTLED_S)
            idle = await _idle(meter, 12 if quick else 60)
            ones, hundreds, real = bench.scaled(3000), bench.scaled(50), bench.scaled(40)
            runs = [
                await _run(meter, idle, "one-task workflows", ones, _many(bench, ones, 1)),
                await _run(meter, idle, "workflows of 100 tasks", 100 * hundreds, _many(bench, hundreds, 100)),
                await _run(meter, idle, f"real tasks that print {LINES} lines", real, partial(_real, bench, real)),
            ]
            return idle, runs
        finally:
            await client.close()
            await database.close()


async def _idle(meter: Meter, seconds: float) -> dict[str, float]:
    before = await meter.read()
    await asyncio.sleep(seconds)
    after = await meter.read()
    took = after.at - before.at
    return {name: (number - before.numbers.get(name, 0)) / took for name, number in after.numbers.items()}


async def _run(meter: Meter, idle: Mapping[str, float], what: str, tasks: int, work: Work) -> Run:
    before = await meter.read()
    took = await work()
    await asyncio.sleep(SETTLED_S)
    after = await meter.read()
    return Run(what, tasks, took, after.since(before, idle))


def _many(bench: Bench, count: int, tasks: int) -> Work:
    """So many workflows of so many tasks on simulated nodes, from 8 clients, until the last is over."""

    async def work() -> float:
        async with bench.log() as connection:
            after = await connection.log.last_seq(WORKFLOWS)
            began = time.perf_counter()
            done = asyncio.create_task(until_finished(connection, after, count))
            load = Load(bench.up.port, "POST", POOL, json.dumps(spec(f"cost-{tasks}", tasks)), 8, count, 120)
            assert len((await run_load(load)).latencies) == count
            await done
            return time.perf_counter() - began

    return work


async def _real(bench: Bench, count: int) -> float:
    """Tasks as processes on this machine, a few at a time: each prints some lines and ends."""
    script = f"i=0; while [ $i -lt {LINES} ]; do echo line $i of one hundred bytes or so that a training prints at every step; i=$((i+1)); done"
    task = {"name": "t", "image": "none", "command": ["sh", "-c", script]}
    body = SubmitBody(file="workflow: " + json.dumps({"name": "real", "tasks": [task]}))
    began = time.perf_counter()
    async with bench.log() as connection, open_client(bench.up.url, user="bench") as api:
        for start in range(0, count, 4):
            after, some = await connection.log.last_seq(WORKFLOWS), min(4, count - start)
            await asyncio.gather(*(api.submit("default", body) for _ in range(some)))
            await until_finished(connection, after, some)
    return time.perf_counter() - began


# -- tables ---------------------------------------------------------------------------------------------------------------


def tables(idle: Mapping[str, float], runs: Sequence[Run]) -> str:
    """Markdown: a row per thing that is counted, a column per kind of work."""
    names = list(dict.fromkeys(name for run in runs for name in run.added))
    parts = sorted(name.removeprefix("cpu ") for name in names if name.startswith("cpu "))
    header = ["of one task", *(run.what for run in runs), "idle, per second"]
    rows = [["tasks, seconds, tasks/s", *(_pace(run) for run in runs), ""]]
    for stream in STREAM_NAMES:
        rows.append(_row(f"messages in {stream}", f"messages {stream}", idle, runs))
        rows.append(_row(f"bytes in {stream}", f"bytes {stream}", idle, runs))
    rows.append(_total("messages, all streams", "messages ", idle, runs))
    for table in sorted(name.removeprefix("rows inserted ") for name in names if name.startswith("rows inserted ")):
        rows.append(_row(f"rows inserted in `{table}`", f"rows inserted {table}", idle, runs))
        rows.append(_row(f"rows updated in `{table}`", f"rows updated {table}", idle, runs))
    rows.append(_total("bytes of tables and indexes", "bytes table ", idle, runs))
    rows.append(_row("bytes of WAL", "bytes wal", idle, runs))
    rows.append(_row("transactions of PostgreSQL", "transactions", idle, runs))
    rows += [_row(f"CPU ms of {part}", f"cpu {part}", idle, runs, factor=1000) for part in parts]
    rows.append(_total("CPU ms, all of it", "cpu ", idle, runs, factor=1000))
    rows += [
        _row(f"write calls of {part}", f"write calls {part}", idle, runs) for part in ("nats-server", "postgresql")
    ]
    kept = [row for row in rows if any(cell not in {"0", ""} for cell in row[1:])]
    lines = [header, ["---"] * len(header), *kept]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pace(run: Run) -> str:
    return f"{run.tasks:,}, {run.took_s:.1f} s, {run.tasks / run.took_s:,.0f}/s"


def _row(what: str, name: str, idle: Mapping[str, float], runs: Sequence[Run], *, factor: float = 1) -> list[str]:
    return [what, *(_number(factor * run.per_task(name)) for run in runs), _number(factor * idle.get(name, 0))]


def _total(what: str, prefix: str, idle: Mapping[str, float], runs: Sequence[Run], *, factor: float = 1) -> list[str]:
    sums = [sum(run.per_task(name) for name in run.added if name.startswith(prefix)) for run in runs]
    resting = sum(number for name, number in idle.items() if name.startswith(prefix))
    return [f"**{what}**", *(_number(factor * each) for each in sums), _number(factor * resting)]


def _number(number: float) -> str:
    if abs(number) < 0.005:
        return "0"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.task_cost", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything: rough figures")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    text = tables(*asyncio.run(measure(quick=options.quick)))
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split("<!-- begin of the table -->\n", 1)
        after = rest.split("<!-- end of the table -->", 1)[1]
        PAGE.write_text(
            f"{before}<!-- begin of the table -->\n{text}\n<!-- end of the table -->{after}", encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
