"""`python container.py JSON`: run a program as the first process of a container with its own root, mounts and processes, and end as it ends.

Not a container runtime: only what the tests of our image need. Without privileges a user namespace is made, in which everybody is this user.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from osmo_runtime.shim import linux

PR_SET_PDEATHSIG = 1
MS_RDONLY, MS_REMOUNT = 1, 32
CANNOT = 125


def main() -> int:
    wanted = json.loads(sys.argv[1])
    own_user = os.geteuid() != 0
    user, group = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWPID | (linux.CLONE_NEWUSER if own_user else 0))
    if own_user:
        linux.map_own_user(user, group)
    child = os.fork()
    if child == 0:
        try:
            _become(wanted, own_user)
        except OSError as error:
            sys.stderr.write(f"container: {error}\n")
        os._exit(CANNOT)
    Path(wanted["pid_file"]).write_text(str(child))
    for number in range(1, 65):
        if number in signal.valid_signals() and number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
            signal.signal(number, lambda number, _: os.kill(child, number))
    return _exit_code(os.waitpid(child, 0)[1])


def _become(wanted: dict, own_user: bool) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.unshare(linux.CLONE_NEWNS)
    root = Path(wanted["root"])
    linux.keep_mounts_private()
    linux.bind(root, root)
    for source, target, writable in wanted["mounts"]:
        _mount(Path(source), root / target.lstrip("/"), writable)
    linux.mount("proc", root / "proc", "proc", 0)
    linux.mount("tmpfs", root / "tmp", "tmpfs", 0, "mode=1777")
    if wanted["read_only"]:
        _make_read_only(root)
    os.chdir(root)
    linux.pivot_root(Path(), Path())
    linux.detach("/")
    os.chdir("/")
    if not own_user:
        os.setgroups([])
        os.setgid(wanted["user"])
        os.setuid(wanted["user"])
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.umask(wanted["umask"])
    os.execve(wanted["command"][0], wanted["command"], wanted["environment"])


def _mount(source: Path, target: Path, writable: bool) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    linux.bind(source, target)
    if not writable:
        _make_read_only(target)


def _make_read_only(target: Path) -> None:
    """Without taking away what a user namespace may not: that nothing there is a device or runs as somebody else."""
    kept = os.statvfs(target).f_flag & (linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    linux.mount(None, target, None, MS_REMOUNT | linux.MS_BIND | MS_RDONLY | kept)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
