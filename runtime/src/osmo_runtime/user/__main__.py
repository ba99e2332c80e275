"""`python -m osmo_runtime.user -socketPath S [-checkpoint 'path;url;seconds;regex'] -commands C ... -args A ...`: the container's entry point.

The flags are those that the reference's pods pass, so that the same manifests start it.
"""

import argparse
import os
import sys
from pathlib import Path

from osmo_runtime.paths import PodPaths
from osmo_runtime.user.job import UserJob, parse_checkpoint
from osmo_runtime.user.wrapper import run_user


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="osmo-exec")
    parser.add_argument("-socketPath", default=str(PodPaths().socket))
    parser.add_argument("-userBinPath", default=str(PodPaths().user_bin))
    parser.add_argument("-checkpoint", action="append", default=[], type=parse_checkpoint)
    parser.add_argument("-commands", action="append", required=True)
    parser.add_argument("-args", action="append", default=[])
    chosen = parser.parse_args(arguments)
    path = f"{os.environ.get('PATH', os.defpath)}:{chosen.userBinPath}"
    return run_user(
        UserJob(
            argv=(*chosen.commands, *chosen.args),
            environment={**os.environ, "PATH": path},
            socket=Path(chosen.socketPath),
            checkpoints=tuple(chosen.checkpoint),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
