"""osmo-init: makes the directories of a task and ends. Running it again changes nothing.

`osmo_init --install /osmo/bin` in a pod, where the user's container sees our volumes and nothing else of ours: the runtime is copied into one of them.
`python -m osmo_runtime.init --root DIR` on a bare machine. Both end with 1 and a sentence on stderr when something cannot be made.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from osmo_runtime.image_layout import CLI_NAME, CTRL_LOGIN, USER_LOGIN
from osmo_runtime.install import install
from osmo_runtime.paths import PodPaths

LINK_NAMES = ("input", "output")


def prepare(paths: PodPaths, osmo_program: str = "", service_url: str = "", user: str = "") -> None:
    """Make what every task finds below `/osmo`. `osmo_program` is the CLI that `/osmo/usr/bin/osmo` shall lead to, if there is one.

    With `service_url` that CLI is logged in there as `user`.
    """
    for shared in (paths.input, paths.output, paths.socket_dir, paths.benchmarks, paths.workspace):
        _directory(shared, 0o777)
    for private in (paths.ctrl, paths.user_bin, paths.login):
        _directory(private, 0o755)
    for name in LINK_NAMES:
        _link(paths.osmo / name, Path("data") / name)
    if osmo_program:
        _link(paths.user_bin / "osmo", Path(osmo_program))
    if service_url:
        _log_in(paths.login, 0o600, service_url, user)


def prepare_volumes(paths: PodPaths, runtime: Path, service_url: str = "", user: str = "", storage: str = "") -> None:
    """Fill the volumes of a pod. Its containers may run as anybody: all may use what the volumes hold, and nobody else can see it.

    `runtime` is the volume that the user's container runs our programs from. `storage` names a file of pod secrets, whose storage keys the CLI shall use.
    """
    install(Path(sys.prefix).parent, runtime)
    login = paths.login_volume / USER_LOGIN
    for shared in (paths.input, paths.output, paths.socket_dir, paths.benchmarks, paths.workspace, login):
        _directory(shared, 0o777)
    _directory(paths.login_volume / CTRL_LOGIN, 0o777)
    paths.user_bin.mkdir(parents=True, exist_ok=True)
    _link(paths.user_bin / CLI_NAME, Path("/osmo/bin") / CLI_NAME)
    if service_url and not (login / "login.yaml").exists():
        _log_in(login, 0o666, service_url, user)
    if storage and not (login / "config.yaml").exists():
        keys = json.loads(Path(storage).read_bytes()).get("storage", {})
        _write(login / "config.yaml", 0o666, {"auth": {"data": keys}})


def _directory(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def _link(path: Path, target: Path) -> None:
    if not path.is_symlink():
        path.symlink_to(target)


def _log_in(directory: Path, mode: int, service_url: str, user: str) -> None:
    """The login file of the CLI, for a service that believes who somebody says to be."""
    _write(directory / "login.yaml", mode, {"url": service_url, "dev_login": {"username": user}})


def _write(path: Path, mode: int, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
    path.chmod(mode)


def main(arguments: list[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    paths = PodPaths(chosen.root)
    try:
        if chosen.install:
            prepare_volumes(paths, Path(chosen.install), chosen.service_url, chosen.user, chosen.secrets)
        else:
            prepare(paths, chosen.osmo_program, chosen.service_url, chosen.user)
    except (OSError, ValueError) as error:
        os.write(2, f"osmo-init: {error}\n".encode())
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="osmo-init")
    parser.add_argument("--root", default="/", help="the directory that /osmo is made in")
    parser.add_argument("--install", default="", help="the volume to copy the runtime into: prepare a pod's volumes")
    parser.add_argument("--osmo-program", default="", help="the osmo CLI to offer to the task, outside of pods")
    parser.add_argument("--service-url", default="", help="the service that this CLI is to talk to")
    parser.add_argument("--user", default="", help="as whom it is to talk")
    parser.add_argument("--secrets", default="", help="the pod's secrets: their storage keys are for this CLI")
    return parser


if __name__ == "__main__":
    sys.exit(main())
