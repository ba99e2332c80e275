"""The directories of this machine's pods: made once, found again after a restart, and never made a second time for one attempt.

```
<state dir>/pods/<key>/     a pod (osmo_runtime.shim.pod_dir)
<state dir>/ended/<key>     an attempt that was removed: a create command that comes again makes nothing
<state dir>/trash/          what is being deleted
```
"""

import contextlib
import os
import shutil
import stat
from pathlib import Path

import msgspec

from osmo_domain.ids import pod_name
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import NO_SECRETS
from osmo_runtime.shim.pod_dir import PodDir
from osmo_runtime.shim.secret_file import write_secrets

ENDED_KEPT_S = 7 * 24 * 3600


def pod_key(workflow_uuid: str, task: str, retry_id: int) -> str:
    return f"{pod_name(workflow_uuid, task)}-{retry_id}"


class PodStore:
    """Blocking and short: callers use a thread."""

    def __init__(self, state_dir: Path) -> None:
        self._pods = state_dir / "pods"
        self._ended = state_dir / "ended"
        self._trash = state_dir / "trash"
        self.hints = state_dir / "agent.sock"
        for folder in (self._pods, self._ended, self._trash):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def create(self, spec: PodSpec) -> PodDir | None:
        """Make the pod's directory, whole or not at all; None when the attempt is there already or has been removed."""
        key = f"{spec.pod_name}-{spec.retry_id}"
        if (self._ended / key).exists() or (self._pods / key).exists():
            return None
        fresh = self._pods / f".new-{key}-{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        (fresh / "pod.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(spec, secrets=NO_SECRETS)))
        write_secrets(fresh, spec.secrets)
        try:
            fresh.rename(self._pods / key)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            if (self._pods / key).exists():
                return None
            raise
        return PodDir(self._pods / key)

    def path(self, key: str) -> Path:
        return self._pods / key

    def find(self, key: str) -> PodDir | None:
        return PodDir(self._pods / key) if (self._pods / key).is_dir() else None

    def names(self) -> list[str]:
        return [entry.name for entry in os.scandir(self._pods) if not entry.name.startswith(".")]

    def remember_end(self, key: str) -> None:
        """From now on, this attempt is not made any more."""
        (self._ended / key).touch()

    def discard(self, pod: PodDir) -> None:
        """Take the pod away at once and delete what it held."""
        grave = self._trash / pod.key
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(grave, onerror=_made_removable)
        with contextlib.suppress(FileNotFoundError):
            pod.path.rename(grave)
            shutil.rmtree(grave, onerror=_made_removable)

    def tidy(self, now_s: float) -> None:
        """Finish deletions that were cut off, and forget ends that no command can ask for any more."""
        for grave in self._trash.iterdir():
            shutil.rmtree(grave, onerror=_made_removable)
        for half_made in self._pods.glob(".new-*"):
            shutil.rmtree(half_made, ignore_errors=True)
        for ended in self._ended.iterdir():
            if ended.stat().st_mtime < now_s - ENDED_KEPT_S:
                ended.unlink(missing_ok=True)


def _made_removable(_remove: object, path: str, _error: object) -> None:
    """A task may leave folders that nobody may write: allow it, and try once more; what still stays is no reason to stop."""
    stuck = Path(path)
    with contextlib.suppress(OSError):
        stuck.parent.chmod(stat.S_IRWXU)
        if stuck.is_dir() and not stuck.is_symlink():
            stuck.chmod(stat.S_IRWXU)
            shutil.rmtree(stuck, ignore_errors=True)
        else:
            stuck.unlink(missing_ok=True)
