"""`python -m tests.bench [names...] [--quick] [--write]`: measure, print one table. Names are those of MEASUREMENTS; without any, all."""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from tests.bench import bench_kubernetes, bench_placement, edge, lines, machine, replay, runs, specs
from tests.bench.bench import Bench
from tests.bench.table import Row, markdown
from tests.installation import Installation, installation

NODES = "1000x8"
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
IDLE_MIB, LOADED_MIB = 250, 400
SETTLED_S = 15

Measurement = Callable[[Bench], Awaitable[list[Row]]]


async def _idle(bench: Bench) -> list[Row]:
    return machine.memory(bench.up, "idle", IDLE_MIB)


async def _loaded(bench: Bench) -> list[Row]:
    """At once, and when nats-server has let go of what it was given in the last ten seconds (log lines, at more than 20 MB/s)."""
    at_once = machine.memory(bench.up, "after all of it", LOADED_MIB)
    await asyncio.sleep(SETTLED_S)
    return at_once + machine.memory(bench.up, f"{SETTLED_S} s later", LOADED_MIB)


MEASUREMENTS: dict[str, Measurement] = {
    "idle": _idle,
    "latency": runs.latency,
    "command-line": machine.command_line,
    "burst": runs.burst,
    "visible": runs.visible,
    "throughput": runs.throughput,
    "large": runs.large,
    "replay": replay.replay,
    "specs": specs.specs,
    "placement": bench_placement.placement,
    "kubernetes": bench_kubernetes.kubernetes,
    "checks": edge.checks,
    "submissions": edge.submissions,
    "reads": edge.reads,
    "lines": lines.log_lines,
    "loaded": _loaded,
}
"""In this order: what wants an idle system first, what leaves much behind last."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(['start-up', *MEASUREMENTS])}")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything: rough figures in under a minute")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    if unknown := set(options.names) - {"start-up", *MEASUREMENTS}:
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}")
    machine_text = _machine()
    table = markdown(uvloop.run(_measure(options.names or ["start-up", *MEASUREMENTS], quick=options.quick)))
    print(f"\n{machine_text}\n\n{table}")
    if options.write:
        _write(f"{machine_text}\n\n{table}")
    return 0


async def _measure(names: list[str], *, quick: bool) -> list[Row]:
    rows: list[Row] = []
    if "start-up" in names:
        rows += _said("start-up", await machine.start_up())
    wanted = [name for name in MEASUREMENTS if name in names]
    if wanted:
        with installation(simulated_nodes=NODES) as up:
            for name in wanted:
                rows += _said(name, await _one(name, up, quick=quick))
    return rows


async def _one(name: str, up: Installation, *, quick: bool) -> list[Row]:
    """A measurement that cannot be made is a row that says so: the others are still worth having."""
    try:
        return await MEASUREMENTS[name](Bench(up, quick))
    except (AssertionError, TimeoutError) as failure:
        return [Row(name, f"could not be measured: {str(failure)[:150] or type(failure).__name__}")]


def _said(name: str, rows: list[Row]) -> list[Row]:
    print(
        f"[{name}]", *(f"  {row.what}: {row.ours} {row.verdict}" for row in rows), sep="\n", file=sys.stderr, flush=True
    )
    return rows


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores shared by servers, services and "
        f"clients, {memory:.0f} GiB, Python {platform.python_version()}, {NODES} simulated nodes and GPUs. "
        f"Load average of the machine before the run: {os.getloadavg()[0]:.1f}."
    )


def _write(text_and_table: str) -> None:
    """Replace what stands between the two marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split("<!-- begin of the table -->\n", 1)
    after = rest.split("<!-- end of the table -->", 1)[1]
    page = f"{before}<!-- begin of the table -->\n{text_and_table}\n<!-- end of the table -->{after}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
