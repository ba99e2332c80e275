"""The directory of one pod, through which an agent and a shim talk. Its name is the pod's key: `<pod name>-<retry id>`.

```
pod.json     what to run; there from the first moment of the directory
secrets.json what of it is secret, until the shim has read it (secret_file.py)
lock         locked by the shim as long as it lives: the one truth about its life
started      made before anything of the task ran; whoever finds it never starts the pod again
shim.json    the shim's process, for signals
status.json  what became of the containers
delete.json  the agent was told to remove the pod
shim.log     what the runtime itself had to say
root/        the task's own /osmo and /tmp
```

Every file is replaced as a whole, so that a reader sees the old or the new one.
"""

import fcntl
import os
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from osmo_runtime.paths import PodPaths
from osmo_runtime.pod import PodSpec
from osmo_runtime.restarts import ask_for_restarts

T = TypeVar("T", bound=Struct)


class ContainerStatus(Struct, omit_defaults=True):
    """`role` is `init`, `ctrl` or `user`."""

    name: str
    role: str
    exit_code: int | None = None
    message: str = ""
    started_at_ms: int = 0
    ended_at_ms: int = 0


class PodStatus(Struct, omit_defaults=True):
    """`phase` is one of osmo_domain.cluster.PodPhase. `isolation`: `full`, `mount` or `none`."""

    phase: str
    at_ms: int
    containers: list[ContainerStatus] = msgspec.field(default_factory=list)
    reason: str = ""
    message: str = ""
    isolation: str = ""


class ShimProcess(Struct):
    """`start_time` is that of /proc/<pid>/stat: a process of the same number with another one is somebody else."""

    pid: int
    start_time: int
    isolation: str


class Deletion(Struct):
    force: bool = False


class PodDir:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.key = path.name
        self.root = path / "root"
        self.tmp = self.root / "tmp"
        self.log = path / "shim.log"

    def spec(self) -> PodSpec:
        """Raises OSError or msgspec.DecodeError where the directory is none of ours."""
        return msgspec.json.decode((self.path / "pod.json").read_bytes(), type=PodSpec)

    def status(self) -> PodStatus | None:
        return self._read("status.json", PodStatus)

    def write_status(self, status: PodStatus) -> None:
        self._write("status.json", status)

    def shim(self) -> ShimProcess | None:
        return self._read("shim.json", ShimProcess)

    def write_shim(self, shim: ShimProcess) -> None:
        self._write("shim.json", shim)

    def deletion(self) -> Deletion | None:
        return self._read("delete.json", Deletion)

    def write_deletion(self, deletion: Deletion) -> None:
        self._write("delete.json", deletion)

    def ask_for_restarts(self, number: int) -> None:
        """The command is to be restarted for the `number`th time; ctrl learns it when it looks."""
        ask_for_restarts(PodPaths(self.root).restarts, number)

    def started(self) -> bool:
        return (self.path / "started").exists()

    def mark_started(self) -> bool:
        """False when somebody did it before: then nothing may be run."""
        try:
            os.close(os.open(self.path / "started", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def lock(self) -> int | None:
        """Take the lock and return its descriptor, which holds it until every copy is closed; None while another shim has it."""
        descriptor = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def alive(self) -> bool:
        """Whether a shim stands over this pod now."""
        try:
            descriptor = self.lock()
        except FileNotFoundError:
            return False
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError):
            return None

    def _write(self, name: str, value: Struct) -> None:
        fresh = self.path / f".{name}.{os.getpid()}"
        fresh.write_bytes(msgspec.json.encode(value))
        fresh.replace(self.path / name)
