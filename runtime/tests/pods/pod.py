"""One task's pod: its volumes, and its three containers as docs/runtime-image.md and osmo_runtime.image_layout describe them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from runtime.tests.pods.roots import Mounts

from osmo_runtime.image_layout import CTRL_COMMAND, CTRL_LOGIN, IMAGE_DIR, INIT_COMMAND, USER_COMMAND, USER_LOGIN
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import NO_SECRETS, PodSecrets, encode_secrets

CONTAINER = Path(__file__).with_name("container.py")
VOLUMES = ("osmo", "osmo-data", "osmo-login", "osmo-usr-bin", "osmo-run")
SHARED = ("socket", "input", "output", "benchmarks")
WITHIN_S = 60.0


class Container:
    """A running container. `pid` is its first process, as this machine sees it."""

    def __init__(self, process: subprocess.Popen[bytes], pid_file: Path, log: Path) -> None:
        self._process = process
        self._pid_file = pid_file
        self._log = log

    @property
    def pid(self) -> int:
        until(lambda: self._pid_file.exists() and self._pid_file.read_text() != "", "the container to have a process")
        return int(self._pid_file.read_text())

    def signal(self, number: int) -> None:
        """To its first process, as a kubelet has it sent."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def running(self) -> bool:
        return self._process.poll() is None

    def ended(self, within_s: float = WITHIN_S) -> int:
        """Its exit code."""
        return self._process.wait(within_s)

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(found.split()[1]) / 1024


class Pod:
    """Below `folder`. `user_root` and its mounts are the user's image, `runtime` is the built runtime."""

    def __init__(self, folder: Path, runtime: Path, user_root: Path, user_mounts: Mounts, *, user: int = 0) -> None:
        self.folder = folder
        self.user = user
        self._runtime = runtime
        self._user_root = user_root
        self._user_mounts = user_mounts
        self._containers: list[Container] = []
        self.termination_log = folder / "termination-log"
        self.termination_log.touch()
        self.termination_log.chmod(0o666)
        self._image = folder / "image"
        for name in ("dev", "proc", "tmp"):
            (self._image / name).mkdir(parents=True)
        for name in VOLUMES:
            self.volume(name).mkdir()
            self.volume(name).chmod(0o777)
        self.secret = folder / "secret"
        self.secret.mkdir()

    def volume(self, name: str) -> Path:
        return self.folder / name

    @property
    def output(self) -> Path:
        return self.volume("osmo-data") / "output"

    def init(self, *more: str) -> Container:
        mounts = [
            (self.volume("osmo"), "/osmo/bin", True),
            (self.volume("osmo-data"), "/osmo/data", True),
            (self.volume("osmo-login"), "/osmo/login", True),
            (self.volume("osmo-usr-bin"), "/osmo/usr/bin", True),
            (self.volume("osmo-run"), "/osmo/run", True),
        ]
        return self._start("init", self._image, [self._own_image, *mounts], (*INIT_COMMAND, *more), {}, umask=0o077)

    def ctrl(
        self, spec: PodSpec, secrets: PodSecrets = NO_SECRETS, *more: str, mounts: Sequence[Any] = ()
    ) -> Container:
        (self.secret / "pod.json").write_bytes(msgspec.json.encode(spec))
        (self.secret / "secrets.json").write_bytes(encode_secrets(secrets))
        shared = [(self.volume("osmo-data") / name, f"/osmo/data/{name}", name != "output") for name in SHARED]
        all_mounts = [
            self._own_image,
            *shared,
            (self.volume("osmo-login") / CTRL_LOGIN, "/osmo/login/config", True),
            (self.secret, "/osmo/secret", False),
            (self.termination_log, "/dev/termination-log", True),
            *mounts,
        ]
        files = ("--pod", "/osmo/secret/pod.json", "--secrets", "/osmo/secret/secrets.json")
        return self._start("ctrl", self._image, all_mounts, (*CTRL_COMMAND, *files, *more), {})

    def start(self, *words: str, environment: dict[str, str] | None = None, program: str = "/probe") -> Container:
        """The user's container: `program` with these words."""
        shared = [(self.volume("osmo-data") / name, f"/osmo/data/{name}", True) for name in SHARED]
        mounts = [
            *self._user_mounts,
            (self.volume("osmo"), "/osmo/bin", False),
            *shared,
            (self.output, "/osmo/output", True),
            (self.volume("osmo-login") / USER_LOGIN, "/osmo/login/config", True),
            (self.volume("osmo-usr-bin"), "/osmo/usr/bin", False),
            (self.volume("osmo-run"), "/osmo/run", True),
            ("/dev/null", "/dev/null", True),
        ]
        flags = ["-socketPath", "/osmo/data/socket/data.sock", "-userBinPath", "/osmo/usr/bin", "-commands", program]
        for word in words:
            flags += ["-args", word]
        return self._start("user", self._user_root, mounts, (*USER_COMMAND, *flags), environment or {}, user=self.user)

    @property
    def _own_image(self) -> tuple[Path, str, bool]:
        return (self._runtime, IMAGE_DIR, False)

    def _start(
        self,
        name: str,
        root: Path,
        mounts: Sequence[Any],
        command: Sequence[str],
        environment: dict[str, str],
        *,
        user: int = 0,
        umask: int = 0o022,
    ) -> Container:
        pid_file, log = self.folder / f"{name}.pid", self.folder / f"{name}.log"
        pid_file.unlink(missing_ok=True)
        wanted = {
            "root": str(root),
            "mounts": [(str(source), target, writable) for source, target, writable in mounts],
            "command": list(command),
            "environment": environment,
            "user": user,
            "umask": umask,
            "read_only": True,
            "pid_file": str(pid_file),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, str(CONTAINER), json.dumps(wanted)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        container = Container(process, pid_file, log)
        self._containers.append(container)
        return container

    def close(self) -> None:
        """End what still runs; what the containers said is there to read when a test has failed."""
        for log in sorted(self.folder.glob("*.log")):
            print(f"{log.name}: {log.read_text(errors='replace')}")
        for container in self._containers:
            if container.running():
                with contextlib.suppress(ProcessLookupError):
                    container.kill()
                container.ended()
        shutil.rmtree(self.volume("osmo"), ignore_errors=True)


def until(reached: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        time.sleep(0.01)
