"""The life of the user container: wait for ctrl's word, run the command, hand over every line, end with the command's exit code."""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from osmo_runtime import messages
from osmo_runtime.exit_codes import NOT_EXECUTABLE, SIGNAL_OFFSET, exit_code_of
from osmo_runtime.paths import PodPaths
from osmo_runtime.user.checkpoint import Checkpoints
from osmo_runtime.user.command import CannotStart, start
from osmo_runtime.user.descendants import adopt_orphans, kill_descendants
from osmo_runtime.user.job import UserJob
from osmo_runtime.user.link import CtrlGone, CtrlLink, connect
from osmo_runtime.user.relay import Relay
from osmo_runtime.user.signals import ENDING, PASSED_ON, ToldToEnd, end_when_told

SIGTERM_EXIT = SIGNAL_OFFSET + signal.SIGTERM
CTRL_GONE_GRACE_S = 10.0
"""How long a command whose ctrl has gone may take to end before it is killed: nobody would keep what it does."""


def run_user(job: UserJob, *, cannot_start: str = "") -> int:
    """Run `job` as ctrl says, and return the exit code for the container. `cannot_start` is said instead of running anything."""
    end_when_told()
    adopt_orphans()
    try:
        link = connect(job.socket, within_s=job.connect_within_s)
    except CtrlGone:
        return SIGTERM_EXIT
    except ToldToEnd as told:
        return told.exit_code
    try:
        return Wrapper(job, link, cannot_start).run()
    finally:
        link.close()


class Wrapper:
    """One selector over ctrl's socket, the command's output, the checkpoints' output and signals."""

    def __init__(self, job: UserJob, link: CtrlLink, cannot_start: str = "") -> None:
        self._job = job
        self._link = link
        self._cannot_start = cannot_start
        self._selector = selectors.DefaultSelector()
        self._checkpoints = Checkpoints()
        self._command = 0
        self._status: int | None = None
        self._start_asked = False
        self._stop_asked = False
        self._abandoned = False
        """Terminated, or without a ctrl: nothing new is started."""
        self._told = 0
        """The signal that told this container to end."""
        self._kill_at: float | None = None

    def run(self) -> int:
        self._watch_signals()
        self._watch(self._link.fileno(), self._hear_ctrl)
        self._until(lambda: self._start_asked or self._abandoned)
        if not self._start_asked:
            return SIGNAL_OFFSET + self._told if self._told else 0
        relays = self._start_checkpoints()
        code, why = self._run_to_the_end()
        self._checkpoints.finish()
        for relay in relays:
            self._finish(relay)
        self._say_the_end(code, why)
        return code

    def _say_the_end(self, code: int, why: str) -> None:
        if code == 0:
            self._link.send(messages.EXEC_FINISHED, ExitCode=0)
        else:
            told = {"ToldToEnd": 1} if self._told else {}
            self._link.send(messages.EXEC_FAILED, ExitCode=code, MessageErr=why, **told)

    def _run_to_the_end(self) -> tuple[int, str]:
        """Run the command, again after each restart, until it ends by itself. Returns its exit code and what to say about it."""
        while True:
            self._start_asked = self._stop_asked = False
            try:
                code = exit_code_of(self._run_once())
            except CannotStart as error:
                self._link.send(messages.MESSAGE_ERR, MessageErr=f"osmo: cannot start the command: {error}")
                return error.exit_code, str(error)
            if not self._stop_asked or self._abandoned:
                return code, f"the command ended with {code}"
            self._link.send(messages.USER_STOP_FINISHED)
            self._until(lambda: self._start_asked or self._abandoned)
            if not self._start_asked:
                return SIGTERM_EXIT, "ended while the command was stopped"

    def _run_once(self) -> int:
        """Start the command and relay its lines until it has ended, with all that it started. Returns its wait status."""
        if self._cannot_start:
            raise CannotStart(NOT_EXECUTABLE, self._cannot_start)
        started = start(self._job.argv, self._job.environment)
        self._command, self._status = started.pid, None
        relays = [self._relay(started.stdout, messages.MESSAGE_OUT), self._relay(started.stderr, messages.MESSAGE_ERR)]
        self._until(lambda: self._ended() or self._stop_asked)
        if not self._ended():
            self._signal_command(signal.SIGKILL)
            self._until(self._ended)
        self._command = 0
        kill_descendants(spare=self._checkpoints.running)
        for relay in relays:
            self._finish(relay)
        return self._status_of_command()

    def _ended(self) -> bool:
        return self._status is not None

    def _status_of_command(self) -> int:
        assert self._status is not None
        return self._status

    def _start_checkpoints(self) -> list[Relay]:
        login = self._job.environment.get("OSMO_CONFIG_FILE_DIR") or str(PodPaths().login)
        self._checkpoints.start(self._job.checkpoints, Path(login))
        return [self._relay(hear, messages.MESSAGE_OPS) for hear in self._checkpoints.running.values()]

    # -- what is watched --------------------------------------------------------------------------------------------

    def _until(self, reached: Callable[[], bool]) -> None:
        """Serve whatever becomes ready until `reached`."""
        while not reached():
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self._kill_what_is_due()

    def _patience(self) -> float | None:
        return None if self._kill_at is None else max(self._kill_at - time.monotonic(), 0)

    def _kill_what_is_due(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_at = None
            self._signal_command(signal.SIGKILL)

    def _watch(self, descriptor: int, serve: Callable[[], object]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, serve)

    def _relay(self, descriptor: int, kind: str) -> Relay:
        relay = Relay(
            descriptor, lambda text, cut: self._link.send(kind, **{kind: text}, **({"Cut": 1} if cut else {}))
        )

        def serve() -> None:
            if not relay.read():
                self._unwatch(descriptor)

        self._watch(descriptor, serve)
        return relay

    def _finish(self, relay: Relay) -> None:
        self._unwatch(relay.descriptor)
        relay.finish()

    def _unwatch(self, descriptor: int) -> None:
        """Harmless for one that is not watched any more."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)

    def _hear_ctrl(self) -> None:
        try:
            heard = self._link.receive()
        except CtrlGone:
            self._unwatch(self._link.fileno())
            self._ctrl_gone()
            return
        for message in heard:
            match message.get("Type"):
                case messages.EXEC_START | messages.USER_START:
                    self._start_asked = True
                case messages.USER_STOP:
                    self._stop_asked = True
                case messages.CTRL_FAILED:
                    self._abandoned = True
                case _:
                    pass

    def _ctrl_gone(self) -> None:
        """Nobody is left who could say how this task ended: end the command, too."""
        if not self._abandoned:
            self._signal_command(signal.SIGTERM)
        self._abandoned = True
        self._kill_at = time.monotonic() + CTRL_GONE_GRACE_S

    # -- signals ----------------------------------------------------------------------------------------------------

    def _watch_signals(self) -> None:
        hear, say = os.pipe()
        os.set_blocking(hear, False)
        os.set_blocking(say, False)
        signal.set_wakeup_fd(say, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in PASSED_ON:
            signal.signal(number, self._pass_on)
        self._watch(hear, lambda: self._woken(hear))

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        """The command decides how it ends. It is asked once, where its ctrl has gone as well."""
        asked = number in ENDING and self._kill_at is not None
        if not asked:
            self._signal_command(number)
        if number in ENDING:
            self._abandoned, self._told = True, number

    def _signal_command(self, number: int) -> None:
        if self._command:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._command, number)

    def _woken(self, hear: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(hear, 4096)
        self._reap()

    def _reap(self) -> None:
        """Collect whoever ended: the command, checkpoints, and orphans that came to us."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._command:
                    self._status = ended[1]
