"""The built runtime, from a cache outside the tree: built once for every state of what it is made of."""

import fcntl
import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images.build_runtime import SOURCES, build_runtime
from images.packages import RUNTIME_MEMBERS, RUNTIME_PACKAGES, member_folder

KEPT = 3
COMPLETE = "complete"


def cached_runtime() -> Path:
    """A folder as `build_runtime` makes it; not to be written to. Two that ask at once build once. Raises Unbuildable."""
    folder = cache_folder() / key()
    if not (folder / COMPLETE).exists():
        with _only_one(folder):
            if not (folder / COMPLETE).exists():
                _build(folder)
    os.utime(folder)
    return folder / "osmo"


def key() -> str:
    """Changes with anything that the runtime is made of."""
    digest = hashlib.sha256(f"{platform.machine()} {sys.version}".encode())
    for name in RUNTIME_PACKAGES:
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    for folder in (SOURCES, *(member_folder(member) / "src" for member in RUNTIME_MEMBERS)):
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".py", ".c"}:
                digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "osmo" / "runtime-image"


def _build(folder: Path) -> None:
    """Beside its place, so that a build that is broken off leaves nothing that looks whole."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        build_runtime(fresh / "osmo")
        (fresh / COMPLETE).touch()
        fresh.rename(folder)
    _forget_all_but_the_latest(folder.parent)


def _forget_all_but_the_latest(cache: Path) -> None:
    built = [each for each in cache.iterdir() if (each / COMPLETE).exists()]
    for old in sorted(built, key=lambda each: each.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
