"""Where everything lies below `/osmo`. `PodPaths()` is what a task sees; `PodPaths(root)` is the same tree under another directory, for the
process runtime on kernels that refuse private mount namespaces.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_SOCKET_PATH = 100
"""Kernels take 107 bytes (104 on some); longer ones are reached through the directory's descriptor."""


class PodPaths:
    def __init__(self, root: Path | str = "/") -> None:
        osmo = Path(root) / "osmo"
        self.osmo = osmo
        self.data = osmo / "data"
        self.input = self.data / "input"
        self.output = self.data / "output"
        self.socket_dir = self.data / "socket"
        self.socket = self.socket_dir / "data.sock"
        self.benchmarks = self.data / "benchmarks"
        self.run = osmo / "run"
        self.workspace = self.run / "workspace"
        self.ctrl = self.run / "ctrl"
        """What only the control container uses: spilled lines, the message of its end."""
        self.spill = self.ctrl
        self.termination_log = self.ctrl / "termination.json"
        self.restarts = self.ctrl / "restarts"
        """How often the command is to be restarted, as its agent last said: see osmo_runtime.restarts."""
        self.user_bin = osmo / "usr" / "bin"
        self.login_volume = osmo / "login"
        self.login = self.login_volume / "config"


def container_paths(root: Path | str = "/") -> PodPaths:
    """As osmo-ctrl has them as a container of its own: spilled lines, which have no name, go where it may surely write; its last words go to the kubelet."""
    paths = PodPaths(root)
    paths.spill = paths.socket_dir
    paths.termination_log = Path(root) / "dev" / "termination-log"
    return paths


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """A name for a Unix socket that is short enough for the kernel while the context is open, however deep its directory lies."""
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
