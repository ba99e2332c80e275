"""`python -m osmo_runtime.ctrl --pod /osmo/pod.json [--root DIR]`: osmo-ctrl as a container's entry point."""

import argparse
import sys
from pathlib import Path

import msgspec

from osmo_runtime import exit_codes
from osmo_runtime.ctrl.program import run_ctrl
from osmo_runtime.paths import PodPaths
from osmo_runtime.pod import PodSpec


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="osmo-ctrl")
    parser.add_argument("--pod", default="/osmo/pod.json", help="the task's PodSpec as JSON")
    parser.add_argument("--root", default="/", help="the directory that /osmo lies in")
    chosen = parser.parse_args(arguments)
    try:
        spec = msgspec.json.decode(Path(chosen.pod).read_bytes(), type=PodSpec)
    except (OSError, msgspec.DecodeError) as error:
        sys.stderr.write(f"osmo-ctrl: {chosen.pod}: {error}\n")
        return exit_codes.BAD_INPUT
    return run_ctrl(spec, PodPaths(chosen.root))


if __name__ == "__main__":
    sys.exit(main())
