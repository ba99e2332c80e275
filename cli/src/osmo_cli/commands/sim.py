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
    from osmo_domain.replay.recorded import Recording
    from osmo_domain.replay.report import PoolReport, Report
    from osmo_domain.replay.workload import Workload

HEADER = ("Pool", "Gangs", "Tasks", "Finished", "Wait p50", "p95", "Max", "GPU hours", "Preempted", "Lost GPU hours")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Replay a day of work: who would have waited how long, and how busy the nodes would have been."
    parser.add_argument(
        "file", type=Path, help="a workload in YAML or JSON (docs/scheduling.md; examples/workloads/day.yaml)"
    )
    parser.add_argument(
        "--from-log",
        type=Path,
        metavar="LOG",
        help="replay recorded work on the pools and nodes of the file, in place of the arrivals in it: one message of WORKFLOWS per line",
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    from osmo_domain.errors import Rejected
    from osmo_domain.replay.run import replay

    workload, log = read_workload(session.args.file), session.args.from_log
    recording = read_recording(log) if log is not None else None
    began = time.perf_counter()
    try:
        report = replay(workload, recording.works if recording is not None else None)
    except Rejected as wrong:
        raise UserError(f"{session.args.file}: {wrong.message} - at `$.{wrong.path}` ({wrong.code})") from wrong
    took_s = time.perf_counter() - began
    if session.args.format_type == "json":
        from msgspec import to_builtins

        left_out = {"left_out": recording.left_out} if recording is not None else {}
        say_json(to_builtins(report) | left_out | {"took_s": round(took_s, 3)})
    else:
        _show(report, took_s)
        if recording is not None and recording.left_out:
            say(f"{recording.left_out} recorded groups were left out: the log does not say how long they ran.")
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
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error} (workload.yaml)") from error
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error} (workload.invalid)") from error


def read_recording(path: Path) -> "Recording":
    """UserError that says what is wrong with the lines, and where in them."""
    from osmo_domain.errors import Rejected
    from osmo_domain.replay.recorded import recorded

    try:
        with path.open("rb") as lines:
            return recorded(lines)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except Rejected as wrong:
        raise UserError(f"{path}, line {wrong.line}: {wrong.message} ({wrong.code})") from wrong


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
