"""A root file system for one task on this machine: the host's folders, with an /osmo, a /tmp and files of its own.

The pod's root is a fresh tmpfs into which every top-level folder of the host is bound; /osmo is the pod's own. Init and ctrl run in it and
still see the host's /tmp, where storage may lie. The user container goes one step further, into a mount namespace where /tmp is its own
too and where the files of the task's spec stand at exactly their paths:

- below /osmo and /tmp, and below folders that the host does not have: written there;
- in place of a file that the host has: bound over it;
- beside what the host has in a folder: the folder is mirrored first (a tmpfs with everything that was in it bound again), since nothing is
  ever written into the host's own folders.
"""

import base64
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from osmo_runtime.pod import PodFile
from osmo_runtime.pod_secrets import SecretFile
from osmo_runtime.shim import linux
from osmo_runtime.shim.pod_dir import PodDir

OWN = ("/osmo", "/tmp")  # noqa: S108 (the task's own)
MIRROR_LIMIT = 2000
FILE_MODE = 0o644
SECRET_MODE = 0o600


class CannotPlace(Exception):
    """A file of the spec cannot be put where it belongs; the text is for the user."""


def enter(pod: PodDir, *, own_processes: bool) -> None:
    """Make the pod's root and move into it. Raises OSError where the kernel refuses."""
    linux.keep_mounts_private()
    own_osmo = pod.root / "osmo"
    own_osmo.mkdir(parents=True, exist_ok=True)
    mount_point = pod.path / "mnt"
    mount_point.mkdir(exist_ok=True)
    linux.mount("tmpfs", mount_point, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=64m")
    _show_host(mount_point, first=pod.path.parts[1])
    if own_processes:
        linux.mount("proc", mount_point / "proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    (mount_point / "osmo").mkdir()
    linux.bind(own_osmo, mount_point / "osmo")
    old = mount_point / ".host"
    old.mkdir()
    linux.pivot_root(mount_point, old)
    os.chdir("/")
    linux.detach("/.host")
    Path("/.host").rmdir()


def _show_host(new_root: Path, *, first: str) -> None:
    """Bind the host's top-level entries. `first` holds the new root itself and comes first, while that is still empty."""
    names = sorted(os.listdir("/"), key=lambda name: name != first)  # noqa: PTH208
    for name in names:
        if name != "osmo":
            _show(Path("/", name), str(Path("/", name)), new_root / name)


def _show(original: Path, source: str, target: Path) -> None:
    """Let `target`, which does not exist yet, be what `original` is; what may not be bound stays an empty folder."""
    state = original.lstat()
    if stat.S_ISLNK(state.st_mode):
        target.symlink_to(original.readlink())
        return
    if stat.S_ISDIR(state.st_mode):
        target.mkdir()
    else:
        target.touch()
    try:
        linux.bind(source, target)
    except OSError:
        if not stat.S_ISDIR(state.st_mode):
            target.unlink()


def own_tmp(pod: PodDir, keep: Iterable[Path]) -> None:
    """In a mount namespace of its own: /tmp becomes the pod's, but for the folders in `keep`, which stay where they were."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.keep_mounts_private()
    pod.tmp.mkdir(parents=True, exist_ok=True)
    pod.tmp.chmod(0o1777)
    kept = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in keep if _below(path, "/tmp") and path.is_dir()}  # noqa: S108
    linux.bind(pod.tmp, "/tmp")  # noqa: S108
    for path, descriptor in kept.items():
        path.mkdir(parents=True, exist_ok=True)
        linux.bind(f"/proc/self/fd/{descriptor}", path)
        os.close(descriptor)


def place_files(files: Iterable[PodFile], secrets: Iterable[SecretFile], staging: Path) -> None:
    """Put every file at its path, in the user container's mount namespace, secret ones last. Raises CannotPlace."""
    own_devices = {Path("/").stat().st_dev}
    wanted: list[PodFile | SecretFile] = [*files, *secrets]
    for number, file in enumerate(wanted):
        mode = SECRET_MODE if isinstance(file, SecretFile) else FILE_MODE
        try:
            _place(Path(file.path), content_of(file), staging / str(number), own_devices, mode)
        except (OSError, ValueError) as error:
            raise CannotPlace(f"cannot put the file {file.path} in its place: {error}") from error


def content_of(file: PodFile | SecretFile) -> bytes:
    encoded = isinstance(file, PodFile) and file.base64
    return base64.b64decode(file.contents, validate=True) if encoded else file.contents.encode()


def write_file(path: Path, content: bytes, mode: int = FILE_MODE) -> None:
    """At no moment may anybody read it whom `mode` does not allow to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        path.chmod(mode)
        file.write(content)


def _place(path: Path, content: bytes, staged: Path, own_devices: set[int], mode: int) -> None:
    path = path.parent.resolve() / path.name
    folder = _nearest_folder(path.parent)
    if _is_own(folder, own_devices):
        write_file(path, content, mode)
        return
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory")
    if path.exists():
        write_file(staged, content, mode)
        linux.bind(staged, path.resolve())
        return
    _mirror(folder)
    own_devices.add(folder.stat().st_dev)
    write_file(path, content, mode)


def _is_own(folder: Path, own_devices: set[int]) -> bool:
    return any(_below(folder, own) for own in OWN) or folder.stat().st_dev in own_devices


def _mirror(folder: Path) -> None:
    """Cover `folder` with a tmpfs that shows everything that was in it."""
    names = os.listdir(folder)  # noqa: PTH208
    if len(names) > MIRROR_LIMIT:
        raise OSError(0, f"{folder} is a folder of this machine with more than {MIRROR_LIMIT} entries")
    mode = stat.S_IMODE(folder.stat().st_mode)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"mode={mode:o},size=64m")
        behind = Path(f"/proc/self/fd/{descriptor}")
        for name in names:
            _show(behind / name, str(behind / name), folder / name)
    finally:
        os.close(descriptor)


def _nearest_folder(path: Path) -> Path:
    while not path.is_dir():
        path = path.parent
    return path


def _below(path: Path, folder: str) -> bool:
    return path.is_relative_to(folder)
