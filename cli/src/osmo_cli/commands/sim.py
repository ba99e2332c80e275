"""`osmo sim`: replay a workload file through the placement of the scheduler, in virtual time; no server is needed."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osmo_cli.arguments import add_format
from osmo_cli.errors import UserError
from osmo_cli.output import say, say_json, table
from osmo_cli.session import Session

if TYPE_CHECKING:
    from osmo_domain.replay.report import PoolReport, Report
    from osmo_domain.replay.workload import Workload

HEADER = ("Pool", "Gangs", "Tasks", "Finished", "Wait p50", "p95", "Max", "GPU hours", "Preempted", "Lost GPU hours")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Replay a day of work: who would have waited how long, and how busy the nodes would have been."
    parser.add_argument(
        "file", type=Path, help="a workload in YAML or JSON (docs/scheduling.md; examples/workloads/day.yaml)"
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    try:
        from osmo_domain.replay.run import replay
    except ImportError as missing:
        raise UserError("`osmo sim` needs the scheduler's own code: install osmo-cli[up].") from missing
    workload = read_workload(session.args.file)
    began = time.perf_counter()
    try:
        report = replay(workload)
    except ValueError as wrong:
        raise UserError(f"{session.args.file}: {wrong}") from wrong
    took_s = time.perf_counter() - began
    if session.args.format_type == "json":
        from msgspec import to_builtins

        say_json(to_builtins(report) | {"took_s": round(took_s, 3)})
    else:
        _show(report, took_s)
    return 0


def read_workload(path: Path) -> "Workload":
    """UserError that says what is wrong with the file, and where in it."""
    import msgspec
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from osmo_domain.replay.workload import Workload

    try:
        found: Any = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        return msgspec.convert(found, Workload)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UserError(f"{path}: {error}") from error


def _show(report: "Report", took_s: float) -> None:
    say(table(HEADER, _rows(report.pools)))
    say()
    say(
        f"{report.gpus} GPUs over {report.hours:.1f} hours: {report.utilisation:.1%} held. "
        f"{report.placements} placements, {report.preemptions} preemptions, at most {report.longest_line} in line."
    )
    if report.waiting:
        say(f"{report.waiting} gangs never had a place: they ask for more than the pool or the nodes can ever give.")
    say(f"Replayed in {took_s:.1f} s, {report.rounds} rounds of placement.")


def _rows(pools: "tuple[PoolReport, ...]") -> Iterator[list[object]]:
    for pool in pools:
        waits = (pool.wait_p50_s, pool.wait_p95_s, pool.wait_max_s)
        counts = (pool.gangs, pool.tasks, pool.finished)
        yield [
            pool.pool,
            *counts,
            *(_duration(wait) for wait in waits),
            f"{pool.gpu_hours:.0f}",
            pool.preempted,
            f"{pool.lost_gpu_hours:.1f}",
        ]


def _duration(seconds: float) -> str:
    """`0s`, `1m 5s`, `3h 7m`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"
