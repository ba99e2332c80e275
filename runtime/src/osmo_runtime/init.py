"""osmo-init: makes the directories of a task and ends. Running it again changes nothing.

`python -m osmo_runtime.init [--root DIR]`. Ends with 1 and a sentence on stderr when something cannot be made.
"""

import argparse
import json
import os
import sys
from pathlib import Path

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
        _log_in(paths.login / "login.yaml", service_url, user)


def _directory(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def _link(path: Path, target: Path) -> None:
    if not path.is_symlink():
        path.symlink_to(target)


def _log_in(path: Path, service_url: str, user: str) -> None:
    """The login file of the CLI, for a service that believes who somebody says to be."""
    path.write_text(json.dumps({"url": service_url, "dev_login": {"username": user}}, indent=2) + "\n")
    path.chmod(0o600)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="osmo-init")
    parser.add_argument("--root", default="/", help="the directory that /osmo is made in")
    parser.add_argument("--osmo-program", default="", help="the osmo CLI to offer to the task")
    parser.add_argument("--service-url", default="", help="the service that this CLI is to talk to")
    parser.add_argument("--user", default="", help="as whom it is to talk")
    chosen = parser.parse_args(arguments)
    try:
        prepare(PodPaths(chosen.root), chosen.osmo_program, chosen.service_url, chosen.user)
    except OSError as error:
        os.write(2, f"osmo-init: {error}\n".encode())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
