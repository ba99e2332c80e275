"""`osmo_ctrl --pod FILE --secrets FILE [--grace SECONDS]`: osmo-ctrl as a container's entry point."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from osmo_runtime import exit_codes

ACK_S = 5.0
"""Of the grace, what is left for log-router's last word; as much again is for whoever must stop us by then."""


def main(arguments: list[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, _told_early)
    chosen = _parser().parse_args(arguments)
    return _run(chosen)


def _told_early(_number: int, _frame: FrameType | None) -> NoReturn:
    """Before there is a Ctrl: the first process of a container would not hear it without a handler."""
    sys.exit(exit_codes.TERMINATED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="osmo-ctrl")
    parser.add_argument("--pod", default="/osmo/secret/pod.json", help="the task's PodSpec as JSON")
    parser.add_argument("--secrets", default="", help="its PodSecrets as JSON, where it has any")
    parser.add_argument("--grace", type=float, default=30, help="seconds from SIGTERM to the kill")
    parser.add_argument("--root", default="/", help="the directory that /osmo lies in")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    import msgspec

    from osmo_runtime.certificates import trust_public_authorities
    from osmo_runtime.ctrl.life import Limits
    from osmo_runtime.ctrl.program import leave_message, run_ctrl
    from osmo_runtime.paths import container_paths
    from osmo_runtime.pod import PodSpec
    from osmo_runtime.pod_secrets import NO_SECRETS, decode_secrets

    paths = container_paths(chosen.root)
    try:
        spec = msgspec.json.decode(Path(chosen.pod).read_bytes(), type=PodSpec)
        secrets = decode_secrets(Path(chosen.secrets).read_bytes()) if chosen.secrets else NO_SECRETS
    except (OSError, msgspec.DecodeError) as error:
        # Without the error's own words where a secret may be in them.
        why = f"the pod or its secrets cannot be read: {type(error).__name__}"
        sys.stderr.write(f"osmo-ctrl: {why}\n")
        leave_message(paths, exit_codes.BAD_INPUT, why)
        return exit_codes.BAD_INPUT
    trust_public_authorities()
    last_lines_s = max(chosen.grace - 2 * ACK_S, 0)
    limits = Limits(last_lines_s=last_lines_s, last_ack_s=min(ACK_S, chosen.grace / 2))
    return run_ctrl(msgspec.structs.replace(spec, secrets=secrets), paths, limits=limits)


if __name__ == "__main__":
    sys.exit(main())
