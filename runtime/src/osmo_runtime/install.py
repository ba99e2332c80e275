"""Copying the runtime from its image into a pod's volume: file by file, by the kernel, since links do not reach across file systems."""

import os
import shutil
from pathlib import Path

from osmo_runtime.image_layout import EXEC_NAME

RUNTIME = "runtime"
UNFINISHED = ".unfinished"
AT_ONCE = 1 << 24


def install(image: Path, volume: Path) -> None:
    """Put what lies in `image` into `volume`. A copy that is there already stays as it is; one that was broken off is made anew. Raises OSError."""
    if (volume / EXEC_NAME).exists():
        return
    volume.mkdir(parents=True, exist_ok=True)
    unfinished = volume / UNFINISHED
    for half_done in (unfinished, volume / RUNTIME):
        if half_done.exists():
            shutil.rmtree(half_done)
    _copy_folder(image / RUNTIME, unfinished)
    unfinished.rename(volume / RUNTIME)
    _copy_programs(image, volume)


def _copy_programs(image: Path, volume: Path) -> None:
    """The starter last: where it is, everything is."""
    for entry in sorted(image.iterdir()):
        if entry.is_symlink():
            link = volume / entry.name
            link.unlink(missing_ok=True)
            link.symlink_to(entry.readlink())
    fresh = volume / f".{EXEC_NAME}"
    _copy_file(str(image / EXEC_NAME), str(fresh), 0o755)
    fresh.rename(volume / EXEC_NAME)


def _copy_folder(source: Path | str, target: Path | str) -> None:
    """With plain system calls: the time of a pod's start goes into this loop."""
    os.mkdir(target, 0o755)  # noqa: PTH102
    os.chmod(target, 0o755)  # noqa: PTH101, S103
    with os.scandir(source) as entries:
        for entry in entries:
            place = f"{target}/{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), place)  # noqa: PTH115, PTH211
            elif entry.is_dir(follow_symlinks=False):
                _copy_folder(entry.path, place)
            else:
                _copy_file(entry.path, place, entry.stat().st_mode & 0o755)


def _copy_file(source: str, target: str, mode: int) -> None:
    read = os.open(source, os.O_RDONLY)
    try:
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            while os.sendfile(write, read, None, AT_ONCE):
                pass
            os.fchmod(write, mode)
        finally:
            os.close(write)
    finally:
        os.close(read)
