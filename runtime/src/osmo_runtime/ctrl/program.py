"""The process around a Ctrl: signals, the system's clock and randomness, and the message that it leaves at its end."""

import asyncio
import json
import random
import signal
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress

from osmo_runtime import exit_codes
from osmo_runtime.ctrl.life import Ctrl, Limits
from osmo_runtime.paths import PodPaths
from osmo_runtime.pod import PodSpec
from osmo_runtime.restarts import wanted_restarts

LONGEST_MESSAGE = 1000
"""The kubelet takes 4096 bytes, and JSON may write a character with twelve of them at worst; a thousand are a sentence."""


def run_ctrl(spec: PodSpec, paths: PodPaths, *, notes: Sequence[str] = (), limits: Limits | None = None) -> int:
    """Run the control container of `spec` in this process; returns its exit code.

    SIGTERM ends the task, SIGHUP looks whether the command is to be restarted. A failure leaves `{"code", "message"}` in the termination log.
    """
    try:
        return asyncio.run(_run(spec, paths, notes, limits))
    except OSError as error:
        leave_message(paths, exit_codes.MISCELLANEOUS, str(error))
    except Exception as error:  # noqa: BLE001 (a fault of ours must not end with Python's 1, which says that we were told to)
        traceback.print_exc()
        leave_message(paths, exit_codes.MISCELLANEOUS, f"osmo-ctrl failed: {type(error).__name__}")
    return exit_codes.MISCELLANEOUS


async def _run(spec: PodSpec, paths: PodPaths, notes: Sequence[str], limits: Limits | None) -> int:
    ctrl = Ctrl(spec, paths, now_ms=_now_ms, rng=random.Random(), limits=limits, notes=notes)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ctrl.terminate)
    loop.add_signal_handler(signal.SIGINT, ctrl.terminate)
    loop.add_signal_handler(signal.SIGHUP, lambda: ctrl.restart_command(wanted_restarts(paths.restarts)))
    code = await ctrl.run()
    if ctrl.failure is not None:
        leave_message(paths, ctrl.failure.code, ctrl.failure.message)
    return code


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def leave_message(paths: PodPaths, code: int, message: str) -> None:
    """For whoever looks why this container ended. Where it cannot be left, the exit code must do."""
    with suppress(OSError):
        paths.termination_log.write_text(json.dumps({"code": code, "message": message[:LONGEST_MESSAGE]}))
