"""What it costs to have it: memory of every process, start-up, the command line."""

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from tests.bench.bench import Bench, spec
from tests.bench.table import Row, percentile, seconds
from tests.installation import OSMO, Installation, installation

from osmo_api.client import open_client
from osmo_api.http import SubmitBody

MIB = 1 << 20


def memory(up: Installation, when: str, bar_mib: float) -> list[Row]:
    """PSS (shared pages divided among those who share them) of every process, PostgreSQL's own children included, and their sum."""
    sizes = {name: _sizes(process, name) for name, process in up.processes().items()}
    pss, rss = sum(size[0] for size in sizes.values()), sum(size[1] for size in sizes.values())
    each = ", ".join(f"{name} {size[0]:.0f}" for name, size in sorted(sizes.items(), key=lambda item: -item[1][0]))
    total = Row(
        f"resident memory {when}, everything", f"{pss:.0f} MiB PSS ({rss:.0f} MiB RSS summed)", pss, bar_mib, "less",
        f"under {bar_mib:.0f} MiB",
    )  # fmt: skip
    return [total, Row(f"resident memory {when}, each (MiB PSS)", each)]


def cpu_seconds(up: Installation) -> float:
    """Of all processes so far: what is left of a figure when the machine is busy with other things."""
    times = [one.cpu_times() for name, process in up.processes().items() for one in _family(process, name)]
    return sum(time.user + time.system for time in times)


def _family(process: psutil.Process, name: str) -> list[psutil.Process]:
    """With the children of those that have any of their own: PostgreSQL's backends, the workers that render."""
    return [process, *(process.children(recursive=True) if name in {"postgresql", "submit"} else [])]


def _sizes(process: psutil.Process, name: str) -> tuple[float, float]:
    found = [one.memory_full_info() for one in _family(process, name)]
    return sum(one.pss for one in found) / MIB, sum(one.rss for one in found) / MIB


async def start_up() -> list[Row]:
    """A first start (servers made, database created), to a first COMPLETED, and a second start on the same data."""
    with installation(started=False) as up:
        began = time.perf_counter()
        first = up.start()
        async with open_client(up.url, user="bench") as api:
            body = spec("hello")
            name = (await api.submit("default", SubmitBody(file=body["file"].replace("train", "true")))).name
            async with asyncio.timeout(60):
                while (await api.workflow(name)).status != "COMPLETED":
                    await asyncio.sleep(0.02)
        completed = time.perf_counter() - began
        up.stop()
        second = up.start()
    return [
        seconds("osmo up to ready, first start", first, 5),
        seconds("osmo up to ready, second start", second, 5),
        seconds("osmo up to first COMPLETED (a real process)", completed, 10),
    ]


async def command_line(bench: Bench) -> list[Row]:
    """Wall time of whole commands, median and worst of several; Python alone beside them."""
    with tempfile.TemporaryDirectory() as directory:
        environ = {**os.environ, "OSMO_CONFIG_FILE_DIR": directory}
        login = [OSMO, "login", bench.up.url, "--method", "dev", "--username", "bench"]
        subprocess.run(login, env=environ, check=True, capture_output=True)
        python = await _wall(environ, str(Path(OSMO).parent / "python"), "-c", "pass")
        limit = f"python -c pass {python * 1000:.0f} ms"
        shown = await _wall(environ, OSMO, "--help")
        listed = await _wall(environ, OSMO, "workflow", "list")
    return [
        seconds("osmo --help", shown, 0.080, limit=limit),
        seconds("osmo workflow list", listed, 0.150, limit=limit),
    ]


async def _wall(environ: dict[str, str], *command: str) -> float:
    took = []
    for _ in range(10):
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert await process.wait() == 0
        took.append(time.perf_counter() - began)
    return percentile(took, 0.5)
