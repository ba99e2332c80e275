"""Ending everything that a command has started, also what moved to another session: orphans come to the wrapper, which reaps them.

Linux only in the last point (PR_SET_CHILD_SUBREAPER); elsewhere the command's process group is what can be reached.
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Collection

PR_SET_CHILD_SUBREAPER = 36
PR_SET_PDEATHSIG = 1


def adopt_orphans() -> None:
    """From now on, orphaned descendants become children of this process."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Be killed when the parent process ends, however it ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(option, value, 0, 0, 0)


def children() -> list[int]:
    """The processes whose parent is this one."""
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children", encoding="ascii") as listing:  # noqa: PTH123
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return [pid for pid in _processes() if _parent(pid) == me]


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
            return int(stat.read().rsplit(b")", 1)[1].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def kill_descendants(spare: Collection[int] = ()) -> None:
    """Kill and reap every descendant but the children in `spare`. Whoever is orphaned by it comes here and is next."""
    while victims := [pid for pid in children() if pid not in spare]:
        for pid in victims:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in victims:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
