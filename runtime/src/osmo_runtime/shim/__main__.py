"""`python -m osmo_runtime.shim <pod directory>`: put a process of its own over a pod and end at once, with 0 when it stands.

Run in a session of its own. Where another shim has the pod, or the pod was started before, nothing is done. The most private file
system that the kernel allows is used: `full` (mounts and processes of its own), `mount`, `none`; `--isolation` names the most to try.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from osmo_runtime.paths import PodPaths
from osmo_runtime.shim import linux, private_root
from osmo_runtime.shim.containers import run_and_exit
from osmo_runtime.shim.pod_dir import PodDir, ShimProcess
from osmo_runtime.shim.rewritten import rewritten
from osmo_runtime.shim.secret_file import forget_secrets, read_secrets
from osmo_runtime.shim.supervisor import Supervisor

LEVELS = ("full", "mount", "none")
STANDS = b"stands"
LOCK_ATTEMPTS = 40


class Options(NamedTuple):
    pod: PodDir
    isolation: str
    grace_s: float
    hints: Path
    osmo_program: str


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    lock = _patient_lock(options.pod)
    if lock is None or options.pod.started():
        return 0
    _redirect_streams(options.pod.log)
    refused = ""
    for level in LEVELS[LEVELS.index(options.isolation) :]:
        for own_user in _own_user_choices(level):
            answer = _try(options, level, own_user, lock, refused)
            if answer == "":
                return 0
            refused = answer
            sys.stderr.write(f"isolation {level}: {answer}\n")
    return 1


def _parse(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="osmo-shim")
    parser.add_argument("pod", type=Path)
    parser.add_argument("--isolation", choices=LEVELS, default="full")
    parser.add_argument("--grace", type=float, default=30)
    parser.add_argument("--hints", type=Path, default=Path("agent.sock"))
    parser.add_argument("--osmo-program", default="")
    chosen = parser.parse_args(arguments)
    return Options(PodDir(chosen.pod.resolve()), chosen.isolation, chosen.grace, chosen.hints, chosen.osmo_program)


def _patient_lock(pod: PodDir) -> int | None:
    """The pod's lock; None when another shim has it. An agent that only looks whether one has, holds it for a moment, too."""
    for _ in range(LOCK_ATTEMPTS):
        if (lock := pod.lock()) is not None:
            return lock
        time.sleep(0.005)
    return None


def _own_user_choices(level: str) -> tuple[bool, ...]:
    """Whether to make a user namespace: needed without privileges, and by a root that has none."""
    if level == "none":
        return (False,)
    return (False, True) if os.geteuid() == 0 else (True,)


def _redirect_streams(log: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(nothing)
    os.close(out)


def _try(options: Options, level: str, own_user: bool, lock: int, refused: str) -> str:
    """Put a supervisor over the pod at this level. Empty when it stands, else why the kernel refused; nothing has run then."""
    hear, say = os.pipe()
    between = os.fork()
    if between == 0:
        _between(options, level, own_user, lock, refused, say)
    os.close(say)
    os.waitpid(between, 0)
    with os.fdopen(hear, "rb") as answer:
        heard = answer.read()
    return "" if heard == STANDS else heard.decode("utf-8", "replace") or "the shim died"


def _between(options: Options, level: str, own_user: bool, lock: int, refused: str, say: int) -> None:
    """Enter the new namespaces, of which only a child becomes a full member; leave that child to the machine's init."""
    try:
        _unshare(level, own_user)
        if os.fork() == 0:
            run_and_exit(lambda: _stand(options, level, lock, refused, say))
    except OSError as error:
        os.write(say, str(error.strerror).encode())
    finally:
        os._exit(0)


def _unshare(level: str, own_user: bool) -> None:
    if level == "none":
        return
    user, group = os.geteuid(), os.getegid()
    flags = linux.CLONE_NEWNS | (linux.CLONE_NEWPID if level == "full" else 0)
    linux.unshare(flags | (linux.CLONE_NEWUSER if own_user else 0))
    if own_user:
        linux.map_own_user(user, group)


def _stand(options: Options, level: str, lock: int, refused: str, say: int) -> int:
    """In the new process: make the root, say that it stands, and supervise until the pod has ended."""
    pod = options.pod
    linux.name_process("osmo-shim")
    try:
        spec = msgspec.structs.replace(pod.spec(), secrets=read_secrets(pod.path))
        pod.write_shim(_this_process(level))
        pod.tmp.mkdir(parents=True, exist_ok=True)
        if level != "none":
            private_root.enter(pod, own_processes=level == "full")
    except OSError as error:
        os.write(say, str(error.strerror or error).encode())
        return 1
    if not pod.mark_started():
        return 0
    forget_secrets(pod.path)
    os.write(say, STANDS)
    os.close(say)
    Supervisor(
        pod,
        spec if level != "none" else rewritten(spec, pod.root),
        PodPaths("/" if level != "none" else pod.root),
        isolation=level,
        notes=_notes(spec.image, level, refused, pod.root),
        lock=lock,
        hints=options.hints,
        grace_s=options.grace_s,
        osmo_program=options.osmo_program,
    ).run()
    return 0


def _notes(image: str, level: str, refused: str, root: Path) -> list[str]:
    notes = [f"Running on this machine: image {image} is recorded and not used"]
    if level == "none":
        why = refused or "switched off"
        notes.append(f"No private file system for this task ({why}): /osmo is {root / 'osmo'}, /tmp is shared")
    return notes


def _this_process(isolation: str) -> ShimProcess:
    """This process as the machine's own process namespace knows it; /proc is still the machine's when this is asked."""
    try:
        pid = int(Path("/proc/self").readlink().name)
        start_time = int(Path("/proc/self/stat").read_bytes().rsplit(b")", 1)[1].split()[19])
    except OSError:
        return ShimProcess(os.getpid(), 0, isolation)
    return ShimProcess(pid, start_time, isolation)


if __name__ == "__main__":
    sys.exit(main())
