"""The few system calls that a private root needs and Python 3.11 does not offer. Every failure is an OSError that names the call."""

import ctypes
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_SLAVE = 1 << 19
MNT_DETACH = 2
PR_SET_NAME = 15


def _call(name: str, *arguments: object) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        raise OSError(0, f"{name}: not on this system")
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _call("unshare", ctypes.c_int(flags))


def mount(source: str | None, target: Path | str, kind: str | None, flags: int, options: str = "") -> None:
    try:
        _call(
            "mount",
            os.fsencode(source) if source is not None else None,
            os.fsencode(target),
            os.fsencode(kind) if kind is not None else None,
            ctypes.c_ulong(flags),
            os.fsencode(options) if options else None,
        )
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({target})") from error


def bind(source: Path | str, target: Path | str) -> None:
    """Let `target` show what `source` is, with everything mounted below."""
    mount(str(source), target, None, MS_BIND | MS_REC)


def keep_mounts_private() -> None:
    """What is mounted here from now on is not seen outside of this mount namespace."""
    mount(None, "/", None, MS_REC | MS_SLAVE)


def pivot_root(new_root: Path, old_root: Path) -> None:
    _call("pivot_root", os.fsencode(new_root), os.fsencode(old_root))


def detach(target: Path | str) -> None:
    _call("umount2", os.fsencode(target), ctypes.c_int(MNT_DETACH))


def map_own_user(user: int, group: int) -> None:
    """In a new user namespace: be who one was outside."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def name_process(name: str) -> None:
    """What `ps` and `top` show; at most 15 characters."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)
