"""Child processes by fork, bound to the life of their parent.

A child leads a process group of its own, so that a Ctrl-C in the terminal reaches only the supervisor, which then stops the others in
order. On Linux the kernel sends it `dies_with` when the supervisor dies, however that happens: a killed `osmo up` leaves nothing that
holds ports and files. Tasks are no children of ours in this sense: the agent starts each in a session of its own, and they go on.

The supervisor has one thread: only then is forking safe, and only then is the parent-death signal tied to the process.
"""

import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1

Body = Callable[[int], None]
"""What a child does; it is given the file descriptor to write a line to when it is ready."""


@dataclass(slots=True)
class Child:
    """One started process. `exit_code` is None while it runs, negative where a signal ended it."""

    name: str
    pid: int
    ready_fd: int
    started_at: float
    exit_code: int | None = None
    ready: bool = False

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
                self.close()
        return self.exit_code

    def close(self) -> None:
        if self.ready_fd >= 0:
            os.close(self.ready_fd)
            self.ready_fd = -1

    def read_ready(self) -> bool:
        """True once it has written that it is ready. Never blocks. One that hangs up without a word is not listened to any more."""
        if not self.ready and self.ready_fd >= 0:
            try:
                self.ready = os.read(self.ready_fd, 64) != b""
            except BlockingIOError:
                return False
            if not self.ready:
                self.close()
        return self.ready

    def send(self, number: signal.Signals) -> None:
        """A signal to the child; nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout_s: float) -> bool:
        """True when it has ended within the time."""
        until = time.monotonic() + timeout_s
        while self.poll() is None:
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True


@dataclass(frozen=True, slots=True)
class Birth:
    """How to start a child. `prepare` runs in the child before it is bound to its parent (it may change who it runs as)."""

    name: str
    body: Body
    log: Path
    dies_with: signal.Signals = signal.SIGKILL
    prepare: Callable[[], None] = field(default=lambda: None)


def fork(birth: Birth) -> Child:
    """Start the child. It begins without our signal handlers, our files and our lock."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _live(birth, write_fd, parent)
    os.close(write_fd)
    return Child(birth.name, pid, read_fd, time.monotonic())


def program(command: Sequence[str], environ: dict[str, str]) -> Body:
    """A body that becomes another program."""

    def body(ready_fd: int) -> None:
        os.close(ready_fd)
        os.execve(command[0], list(command), environ)  # noqa: S606 - a shell is what we do not want

    return body


def _live(birth: Birth, ready_fd: int, parent: int) -> None:
    """The whole life of a child; never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        _forget_signals()
        _redirect(birth.log)
        _close_all_but(ready_fd)
        birth.prepare()
        _bind_to_parent(birth.dies_with, parent)
        gc.enable()
        birth.body(ready_fd)
        code = 0
    except SystemExit as asked:
        code = _exit_code(asked)
    except BaseException:  # noqa: BLE001 - the edge of a process: whatever it was, it is written down and the process ends
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _exit_code(asked: SystemExit) -> int:
    if asked.code is None or isinstance(asked.code, int):
        return asked.code or 0
    sys.stderr.write(f"{asked.code}\n")
    return 1


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _redirect(log: Path) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)


def _close_all_but(kept: int) -> None:
    """Everything above stderr, among it the supervisor's lock, which must fall with the supervisor."""
    limit = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, kept)
    os.closerange(kept + 1, min(limit, 65536) if limit > 0 else 65536)


def _bind_to_parent(number: signal.Signals, parent: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(0)
