"""How this machine runs pods."""

import os
import pwd
import sys
from pathlib import Path
from typing import Literal

from msgspec import Struct

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _default_path() -> str:
    """The system's programs; behind them this Python, so that `python3` is found on machines that have no other."""
    return f"{SYSTEM_PATH}:{Path(sys.base_prefix) / 'bin'}"


def _default_home() -> str:
    """The user's own; `/` for a user that the machine does not know by name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"


class ProcessOptions(Struct, frozen=True, kw_only=True):
    """`isolation` is the most that is tried; where the kernel refuses, the next level is used and the task's log says so.

    Amounts of 0 are measured. `path` is where tasks find their programs.
    """

    isolation: Literal["full", "mount", "none"] = "full"
    grace_s: float = 30
    starts_at_once: int = 4
    look_every_s: float = 0.5
    cpu: int = 0
    gpu: int = 0
    memory_bytes: int = 0
    storage_bytes: int = 0
    path: str = ""
    home: str = ""

    def task_environment(self) -> dict[str, str]:
        """What every task finds in its environment, beside what its spec says."""
        return {"PATH": self.path or _default_path(), "HOME": self.home or _default_home(), "LANG": "C.UTF-8"}
