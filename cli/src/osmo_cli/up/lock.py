"""One `osmo up` per data directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osmo_cli.errors import UserError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock; it falls with this process, however it ends. UserError where another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode() or "?"
        raise UserError(
            f"Another `osmo up` (process {holder}) runs on {path.parent}.\n"
            "Stop it first, or give this one a directory of its own with --data-dir."
        ) from error
