"""Starting the user's command: found on its own PATH, in a process group of its own, with pipes for its output."""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from osmo_runtime.exit_codes import NOT_EXECUTABLE, NOT_FOUND


class CannotStart(Exception):
    """The command cannot be run at all: 127 when there is no such program, 126 when it is there and may not or cannot be executed."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Started(NamedTuple):
    pid: int
    stdout: int
    stderr: int


def find_program(name: str, search: str) -> str:
    """The file that a shell would run for `name`. Raises CannotStart."""
    candidates = [name] if "/" in name else [os.path.join(directory or ".", name) for directory in search.split(":")]  # noqa: PTH118
    present = [path for path in candidates if os.path.isfile(path)]  # noqa: PTH113
    runnable = [path for path in present if os.access(path, os.X_OK)]
    if runnable:
        return runnable[0]
    if present:
        raise CannotStart(NOT_EXECUTABLE, f"{name}: permission denied: the file is not executable")
    if "/" in name and os.path.isdir(name):  # noqa: PTH112
        raise CannotStart(NOT_EXECUTABLE, f"{name}: is a directory")
    raise CannotStart(NOT_FOUND, f"{name}: command not found")


def start(argv: Sequence[str], environment: Mapping[str, str]) -> Started:
    """Run the command with an empty standard input. The caller owns both descriptors and reaps the process. Raises CannotStart."""
    program = find_program(argv[0], environment.get("PATH", os.defpath))
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    try:
        pid = _spawn(program, argv, environment, out_write, err_write)
    except BaseException:
        os.close(out_read)
        os.close(err_read)
        raise
    finally:
        os.close(out_write)
        os.close(err_write)
    return Started(pid, out_read, err_read)


def _spawn(program: str, argv: Sequence[str], environment: Mapping[str, str], stdout: int, stderr: int) -> int:
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    reset = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]
    try:
        return os.posix_spawn(
            program, tuple(argv), environment, file_actions=streams, setpgroup=0, setsigmask=[], setsigdef=reset
        )
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotStart(NOT_EXECUTABLE, f"{argv[0]}: {text}") from error
