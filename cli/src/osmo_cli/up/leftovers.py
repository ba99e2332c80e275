"""What a killed `osmo up` may have left behind, and how to be sure that it is gone before we start.

The processes of a run are written down with the time of their start, so that a number that was given to someone else since is never
touched. Tasks are not among them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

GRACE_S = 5.0
LINUX = sys.platform == "linux"


def remember(path: Path, pids: Iterable[int]) -> None:
    """Write down who runs, for whoever has to clean up after us."""
    known = {str(pid): started for pid in pids if (started := start_of(pid)) is not None}
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(known), encoding="ascii")
    fresh.replace(path)


def end_leftovers(path: Path) -> int:
    """End what an earlier run left, and wait until it is gone. The number of processes that were still there."""
    try:
        known: Mapping[str, str] = json.loads(path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0
    alive = {int(pid): started for pid, started in known.items() if start_of(int(pid)) == started}
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(alive, number)
        if _gone(alive, GRACE_S):
            break
    path.unlink(missing_ok=True)
    return len(alive)


def forget_stale_postmaster(cluster: Path) -> None:
    """Remove the pid file of a PostgreSQL that is no more, in case its number belongs to someone else by now."""
    pid_file = cluster / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="utf-8").splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    if str(cluster) not in _command_of(pid):
        pid_file.unlink(missing_ok=True)


def start_of(pid: int) -> str | None:
    """When the process was started, as the system says it; None where there is none."""
    if LINUX:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    return _ps(pid, "lstart=") or None


def _command_of(pid: int) -> str:
    if LINUX:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return _ps(pid, "command=")


def _ps(pid: int, column: str) -> str:
    asked = subprocess.run(["ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def _signal(alive: Mapping[int, str], number: signal.Signals) -> None:
    for pid, started in alive.items():
        if start_of(pid) == started:
            os.kill(pid, number)


def _gone(alive: Mapping[int, str], within_s: float) -> bool:
    until = time.monotonic() + within_s
    while any(start_of(pid) == started for pid, started in alive.items()):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
