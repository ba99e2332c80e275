"""Standing over one pod: init first, then ctrl and user together, until both have ended. Everything that happens is in status.json.

The pod ends when both containers have: ctrl ends only after outputs are stored and every line is acknowledged. A ctrl that ends while the
command runs takes the command with it, and a deleted directory the whole pod. SIGTERM asks both to end, and kills them after the grace; SIGHUP is passed on to ctrl.
"""

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from osmo_runtime.exit_codes import exit_code_of
from osmo_runtime.paths import PodPaths, socket_address
from osmo_runtime.pod import PodSpec
from osmo_runtime.shim.containers import fork, run_ctrl_container, run_init, run_user_container
from osmo_runtime.shim.pod_dir import ContainerStatus, PodDir, PodStatus
from osmo_runtime.user.descendants import adopt_orphans, kill_descendants

CTRL_GONE_GRACE_S = 10.0
LOOK_EVERY_S = 2.0


class Supervisor:
    def __init__(
        self,
        pod: PodDir,
        spec: PodSpec,
        paths: PodPaths,
        *,
        isolation: str,
        notes: list[str],
        lock: int,
        hints: Path,
        grace_s: float,
        osmo_program: str,
    ) -> None:
        self._pod = pod
        self._spec = spec
        self._paths = paths
        self._isolation = isolation
        self._notes = notes
        self._lock = lock
        self._hints = hints
        self._grace_s = grace_s
        self._osmo_program = osmo_program
        self._status = PodStatus("INITIALIZING", _now_ms(), isolation=isolation)
        self._running: dict[int, ContainerStatus] = {}
        self._kill_at: float | None = None
        self._terminating = False
        self._wake_hear, self._wake_say = os.pipe()

    def run(self) -> None:
        """The whole life of the pod."""
        self._watch_signals()
        adopt_orphans()
        self._start("osmo-init", "init", lambda: run_init(self._spec, self._paths, self._osmo_program))
        self._publish()
        self._until_all_ended()
        if not self._failed() and not self._terminating:
            self._run_main_containers()
        kill_descendants()
        self._status.phase = "FAILED" if self._failed() or self._terminating else "SUCCEEDED"
        self._publish()

    def _run_main_containers(self) -> None:
        hear, say = os.pipe()
        self._start("osmo-ctrl", "ctrl", lambda: run_ctrl_container(self._spec, self._paths, self._notes), hear, say)
        self._start(
            self._spec.task,
            "user",
            lambda: run_user_container(self._spec, self._paths, self._pod, self._isolation, say),
            hear,
        )
        os.close(say)
        self._status.phase = "RUNNING"
        self._publish()
        self._until_all_ended()
        if why := os.read(hear, 4096).decode("utf-8", "replace"):
            self._status.reason, self._status.message = "StartError", why
        os.close(hear)

    def _until_all_ended(self) -> None:
        while self._running:
            if not select.select([self._wake_hear], [], [], self._patience())[0]:
                self._kill_what_is_due()
                continue
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_hear, 4096)
            if self._reap():
                self._publish()

    def _patience(self) -> float:
        due_in = LOOK_EVERY_S if self._kill_at is None else self._kill_at - time.monotonic()
        return min(max(due_in, 0), LOOK_EVERY_S)

    def _kill_what_is_due(self) -> None:
        """After the grace; or when the pod's directory was deleted, since nobody can ever ask for this pod again."""
        overdue = self._kill_at is not None and time.monotonic() >= self._kill_at
        if overdue or not self._pod.path.exists():
            self._kill_at = None
            self._terminating = True
            self._signal(signal.SIGKILL)

    # -- containers -------------------------------------------------------------------------------------------------

    def _start(self, name: str, role: str, run: Callable[[], int], *close: int) -> None:
        container = ContainerStatus(name, role, started_at_ms=_now_ms())
        pid = fork(f"osmo-{role}", run, (self._lock, self._wake_hear, self._wake_say, *close))
        self._running[pid] = container
        self._status.containers.append(container)

    def _reap(self) -> bool:
        """Collect every process that ended; True when one was a container."""
        changed = False
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                container = self._running.pop(ended[0], None)
                if container is not None:
                    self._container_ended(container, exit_code_of(ended[1]))
                    changed = True
        return changed

    def _container_ended(self, container: ContainerStatus, exit_code: int) -> None:
        container.exit_code = exit_code
        container.ended_at_ms = _now_ms()
        if container.role == "ctrl":
            container.message = self._termination_message()
            if self._running and self._kill_at is None:
                self._ask_to_end(CTRL_GONE_GRACE_S)

    def _termination_message(self) -> str:
        try:
            return str(json.loads(self._paths.termination_log.read_text())["message"])
        except (OSError, ValueError, KeyError):
            return ""

    def _failed(self) -> bool:
        return bool(self._status.reason) or any(container.exit_code for container in self._status.containers)

    # -- signals ----------------------------------------------------------------------------------------------------

    def _watch_signals(self) -> None:
        for descriptor in (self._wake_hear, self._wake_say):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_say, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGHUP, self._pass_on)

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._terminating = True
        if self._kill_at is None:
            self._ask_to_end(self._grace_s)

    def _pass_on(self, _number: int, _frame: FrameType | None) -> None:
        for pid, container in self._running.items():
            if container.role == "ctrl":
                os.kill(pid, signal.SIGHUP)

    def _ask_to_end(self, grace_s: float) -> None:
        self._kill_at = time.monotonic() + grace_s
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    # -- what others see --------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        """Write the status, and tell the agent to look, if one is there."""
        self._status.at_ms = _now_ms()
        try:
            self._pod.write_status(self._status)
        except FileNotFoundError:
            return  # the directory was deleted: there is nobody to tell
        hint = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError), hint, socket_address(self._hints) as address:
            hint.setblocking(False)
            hint.sendto(self._pod.key.encode(), address)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
