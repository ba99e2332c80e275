"""What takes long to build, from caches outside the tree: built once for every state of what it is made of."""

import fcntl
import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from images import service_image
from images.build_runtime import SOURCES, build_runtime
from images.layers import Layer, layer_of
from images.packages import RUNTIME_MEMBERS, RUNTIME_PACKAGES, SERVICE_MEMBERS, SERVICE_PACKAGES, member_folder

KEPT = 3
COMPLETE = "complete"


def cached_runtime() -> Path:
    """A folder as `build_runtime` makes it; not to be written to. Two that ask at once build once. Raises Unbuildable."""
    made_of = key(RUNTIME_PACKAGES, RUNTIME_MEMBERS)
    return _cached("runtime-image", made_of, lambda fresh: build_runtime(fresh / "osmo")) / "osmo"


def cached_service_layers() -> list[Layer]:
    """The layers of the services' image: Python with the packages of the lock, then our members, which change more often. Raises Unbuildable."""
    interpreter = _cached("service-interpreter", key(SERVICE_PACKAGES, ()), _keep_interpreter)
    members = _cached("service-members", key((), SERVICE_MEMBERS), _keep_members)
    return [_kept(interpreter), _kept(members)]


def key(packages: Iterable[str], of_members: Iterable[str]) -> str:
    """Changes with anything that something is made of."""
    digest = hashlib.sha256(f"{platform.machine()} {sys.version}".encode())
    for name in packages:
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    for folder in (SOURCES, *(member_folder(member) / "src" for member in of_members)):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_folder(name: str) -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "osmo" / name


# -- layers -----------------------------------------------------------------------------------------------------------


def _keep_interpreter(fresh: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "osmo"
        service_image.build_interpreter(tree)
        files, links = service_image.IMAGE_FILES, service_image.links()
        own = {service_image.PLACE: tree}
        _keep(layer_of(own, folders=service_image.IMAGE_FOLDERS, files=files, links=links), fresh)


def _keep_members(fresh: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "osmo"
        service_image.build_members(tree)
        _keep(layer_of({service_image.PLACE: tree}), fresh)


def _keep(layer: Layer, folder: Path) -> None:
    (folder / "layer.tar.gz").write_bytes(layer.packed)
    (folder / "diff-id").write_text(layer.diff_id, encoding="ascii")


def _kept(folder: Path) -> Layer:
    return Layer((folder / "layer.tar.gz").read_bytes(), (folder / "diff-id").read_text(encoding="ascii"))


# -- a cache ----------------------------------------------------------------------------------------------------------


def _cached(name: str, made_of: str, make: Callable[[Path], None]) -> Path:
    folder = cache_folder(name) / made_of
    if not (folder / COMPLETE).exists():
        with _only_one(folder):
            if not (folder / COMPLETE).exists():
                _build(folder, make)
    os.utime(folder)
    return folder


def _build(folder: Path, make: Callable[[Path], None]) -> None:
    """Beside its place, so that a build that is broken off leaves nothing that looks whole."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        make(fresh)
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
