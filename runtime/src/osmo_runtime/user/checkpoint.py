"""Checkpoints: each is a loop in a process of its own that uploads a path every so often, and once more when the command has ended.

What a loop says becomes control lines of the task's log. A failed upload is said and tried again at the next turn. A server that has a file already as
it is now is not sent it again. The keys are the user's, read anew at every turn from where the `osmo` in the task has them.
"""

import contextlib
import os
import select
import signal
from collections.abc import Sequence
from pathlib import Path

from osmo_runtime.user.job import Checkpoint


class Checkpoints:
    """The running loops: process id to the descriptor that it talks into."""

    def __init__(self) -> None:
        self.running: dict[int, int] = {}

    def start(self, checkpoints: Sequence[Checkpoint], login: Path) -> None:
        """`login` is where the CLI's configuration lies, with the user's keys for storage."""
        for checkpoint in checkpoints:
            hear, say = os.pipe()
            pid = os.fork()
            if pid == 0:
                _run_and_exit(checkpoint, login, say)
            os.close(say)
            self.running[pid] = hear

    def finish(self) -> None:
        """Ask every loop for its last upload and wait until it is done. The caller still owns the descriptors."""
        for pid in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for pid in self.running:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self.running.clear()


def _run_and_exit(checkpoint: Checkpoint, login: Path, say: int) -> None:
    code = 1
    try:
        code = run_checkpoint(checkpoint, login, say)
    finally:
        os._exit(code)


def run_checkpoint(checkpoint: Checkpoint, login: Path, say: int) -> int:
    """Upload until SIGTERM arrives, then once more; 0 when that last upload worked."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda *_: None)
    while not select.select([reader], [], [], checkpoint.frequency_s)[0]:
        _upload(checkpoint, login, say)
    return 0 if _upload(checkpoint, login, say) else 1


def _upload(checkpoint: Checkpoint, login: Path, say: int) -> bool:
    import asyncio

    from osmo_runtime.user_keys import read_user_keys
    from osmo_storage import StorageAccess, StorageError, upload

    access = StorageAccess(read_user_keys(login), ambient=True)
    sending = upload(Path(checkpoint.path), checkpoint.url, regex=checkpoint.regex, access=access, resume=True)
    try:
        done = asyncio.run(sending)
    except (StorageError, ValueError) as error:
        os.write(say, f"Checkpoint of {checkpoint.path} failed: {error}\n".encode())
        return False
    files = "1 file" if done.files == 1 else f"{done.files} files"
    os.write(say, f"Checkpoint of {checkpoint.path}: {files}, {done.bytes} bytes\n".encode())
    return True
