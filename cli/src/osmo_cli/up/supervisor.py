"""Keeps children alive: starts them, waits until they are ready, starts again what ends, stops all in reverse order.

One thread, no event loop: it forks, and it sleeps in `select` until a child says that it is ready, a child ends or a signal comes.
"""

import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from osmo_cli.errors import ServerError
from osmo_cli.up.children import Birth, Child, fork
from osmo_cli.up.leftovers import remember

BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_S = 5.0
"""A child that lived this long starts again without waiting."""

GRACE_S = 6.0
AGAIN_S = 0.5
"""Signals closer together are one wish: a terminal and a parent may both pass on the same Ctrl-C."""

FAILED_STARTS = 5
LOG_TAIL = 12


class Interrupted(Exception):
    """Somebody wants us to end."""


@dataclass(slots=True)
class Kept:
    """A child that is to be there: how to start it, and how it has been doing."""

    birth: Birth
    child: Child
    failures: int = 0
    restart_at: float | None = None


@dataclass
class Supervisor:
    """`processes` is where the pids of everything started are written down."""

    processes: Path
    tell: Callable[[str], None]
    kept: dict[str, Kept] = field(default_factory=dict)
    wishes: int = 0
    """How often somebody asked us to end."""
    _wished_at: float = field(default=float("-inf"), repr=False)
    _wakeup: socket.socket | None = field(default=None, repr=False)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGINT, SIGTERM and SIGHUP as the wish to end, and be woken by children that end."""
        ours, wakeup = socket.socketpair()
        ours.setblocking(False)
        wakeup.setblocking(False)
        self._wakeup = ours
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
        before = {number: signal.signal(number, _noted) for number in numbers}
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            ours.close()
            wakeup.close()
            self._wakeup = None

    def start(self, birth: Birth) -> Child:
        """Start a child that is to be kept alive."""
        child = fork(birth)
        self.kept[birth.name] = Kept(birth, child)
        self._remember()
        return child

    def run_once(self, birth: Birth, *, within_s: float) -> None:
        """Run a child to its end. ServerError where it fails."""
        child = fork(birth)
        if not child.wait(within_s):
            child.send(signal.SIGKILL)
            child.wait(GRACE_S)
        if child.exit_code != 0:
            raise ServerError(f"{birth.name} failed.\n{log_tail(birth.log)}")

    def wait_until(self, what: str, condition: Callable[[], bool], *, within_s: float) -> None:
        """Keep everything alive until the condition holds. ServerError when it does not in time, Interrupted on a wish to end."""
        until = time.monotonic() + within_s
        while not condition():
            self._look(timeout_s=0.02, starting=True)
            if self.wishes:
                raise Interrupted
            if time.monotonic() > until:
                raise ServerError(f"Not ready after {within_s:.0f} s: {what}.")

    def all_ready(self, names: Sequence[str]) -> bool:
        return all(self.kept[name].child.ready for name in names)

    def waiting_for(self, names: Sequence[str]) -> str:
        return ", ".join(name for name in names if not self.kept[name].child.ready)

    def keep(self) -> None:
        """Keep everything alive until somebody wishes us to end."""
        while not self.wishes:
            self._look(timeout_s=5.0, starting=False)

    def stop(self, names: Sequence[str], *, grace_s: float = GRACE_S) -> None:
        """End these children one after the other, last one first; a second wish to end makes it short."""
        for name in reversed(names):
            kept = self.kept.pop(name, None)
            if kept is None or kept.child.poll() is not None:
                continue
            kept.child.send(_polite(kept.birth))
            if not self._ended(kept.child, grace_s):
                self.tell(f"killing {name}" + ("" if self.wishes > 1 else f": it does not stop within {grace_s:g} s"))
                kept.child.send(signal.SIGKILL)
                kept.child.wait(grace_s)
        self._remember()

    def _ended(self, child: Child, grace_s: float) -> bool:
        until = time.monotonic() + grace_s
        while child.poll() is None:
            self._sleep(0.02)
            if self.wishes > 1 or time.monotonic() > until:
                return False
        return True

    def _look(self, *, timeout_s: float, starting: bool) -> None:
        """One round: sleep until something happens, then see to every child."""
        self._sleep(min([timeout_s, *self._until_restarts()]))
        now = time.monotonic()
        for kept in self.kept.values():
            kept.child.read_ready()
            if kept.child.poll() is None:
                continue
            if kept.restart_at is None:
                self._plan_restart(kept, now, starting=starting)
            elif now >= kept.restart_at:
                kept.child, kept.restart_at = fork(kept.birth), None
                self._remember()

    def _plan_restart(self, kept: Kept, now: float, *, starting: bool) -> None:
        lived_s = now - kept.child.started_at
        kept.failures = 1 if lived_s > STEADY_S else kept.failures + 1
        if starting and kept.failures >= FAILED_STARTS:
            raise ServerError(f"{kept.birth.name} does not start ({_ending(kept.child)}).\n{log_tail(kept.birth.log)}")
        wait_s = BACKOFF_S[min(kept.failures, len(BACKOFF_S)) - 1]
        kept.restart_at = now + wait_s
        # A child that cannot stay up is not worth a line every few seconds.
        if not self.wishes and (kept.failures <= 3 or kept.failures % 10 == 0):
            self.tell(f"{kept.birth.name} ended ({_ending(kept.child)}), starting it again: see {kept.birth.log}")

    def _until_restarts(self) -> list[float]:
        now = time.monotonic()
        return [max(0.0, kept.restart_at - now) for kept in self.kept.values() if kept.restart_at is not None]

    def _sleep(self, timeout_s: float) -> None:
        """Until a signal, a word from a child, or the timeout."""
        ready_fds = [k.child.ready_fd for k in self.kept.values() if k.child.ready_fd >= 0 and not k.child.ready]
        woken = [*([self._wakeup.fileno()] if self._wakeup is not None else []), *ready_fds]
        select.select(woken, [], [], timeout_s)
        if self._wakeup is not None:
            with suppress(BlockingIOError):
                if set(self._wakeup.recv(256)) - {signal.SIGCHLD}:
                    self._wish()

    def _wish(self) -> None:
        now = time.monotonic()
        if now - self._wished_at > AGAIN_S:
            self.wishes += 1
            self._wished_at = now

    def _remember(self) -> None:
        remember(self.processes, [kept.child.pid for kept in self.kept.values()])


def log_tail(log: Path) -> str:
    """The last lines of a log, and where the rest is."""
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL:]
        return "\n".join([f"The end of {log}:", *(f"    {line}" for line in lines)])
    return f"Its log {log} is not there."


def _polite(birth: Birth) -> signal.Signals:
    """The signal by which this child ends in order."""
    return signal.SIGTERM if birth.dies_with == signal.SIGKILL else birth.dies_with


def _ending(child: Child) -> str:
    code = child.exit_code or 0
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _noted(number: int, _frame: object) -> None:
    """Do nothing here: the number comes through the wakeup socket."""


def say_on_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
