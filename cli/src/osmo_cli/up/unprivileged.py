"""PostgreSQL refuses to run as root. Run as root, `osmo up` gives it another identity without asking anything of the machine.

First choice: a user namespace in which the process is `nobody`; outside, its files stay root's. Where the kernel or a container forbids
that: the user `nobody` for real, keeping the one capability that lets it reach its files below directories of root's. Any other user
needs neither.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
NOBODY = 65534


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def leave_root(owned: Path) -> None:
    """Stop being root for good, in this process; `owned` and everything in it belongs to who we become. Nothing for other users."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _give(owned, 0)
    if libc.unshare(CLONE_NEWUSER) == 0:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} 0 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} 0 1", encoding="ascii")
        return
    _give(owned, NOBODY)
    become_nobody(libc)


def become_nobody(libc: ctypes.CDLL) -> None:
    """Change to `nobody`, keeping CAP_DAC_OVERRIDE over the next exec."""
    _check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    mask = 1 << CAP_DAC_OVERRIDE
    kept = (_Capabilities * 2)(_Capabilities(mask, mask, mask), _Capabilities(0, 0, 0))
    _check(libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), kept), "capset")
    _check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0), "prctl(PR_CAP_AMBIENT)")


def _give(directory: Path, uid: int) -> None:
    """Make `uid` the owner of everything there, where an earlier run left it to another."""
    if directory.stat().st_uid == uid:
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"PostgreSQL cannot be started as root here: {what} was refused")
