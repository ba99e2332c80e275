"""How often a task's command is to have been restarted in place: a number in a file that only grows, written by the agent, read by ctrl.

Saying it twice changes nothing, and a ctrl that was not there yet when it was said finds it when it comes.
"""

import os
from pathlib import Path


def wanted_restarts(path: Path) -> int:
    """0 where nobody has asked for any."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def ask_for_restarts(path: Path, number: int) -> None:
    """From now on `number` restarts are wanted, unless there were as many already."""
    if number <= wanted_restarts(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(str(number), encoding="ascii")
    fresh.replace(path)
