"""The process around a Ctrl: signals, the system's clock and randomness, and the message that it leaves at its end."""

import asyncio
import json
import random
import signal
import time
from collections.abc import Sequence

from osmo_runtime import exit_codes
from osmo_runtime.ctrl.life import Ctrl, Limits
from osmo_runtime.paths import PodPaths
from osmo_runtime.pod import PodSpec
from osmo_runtime.restarts import wanted_restarts


def run_ctrl(spec: PodSpec, paths: PodPaths, *, notes: Sequence[str] = (), limits: Limits | None = None) -> int:
    """Run the control container of `spec` in this process; returns its exit code.

    SIGTERM ends the task, SIGHUP looks whether the command is to be restarted. A failure leaves `{"code", "message"}` in the termination log.
    """
    try:
        return asyncio.run(_run(spec, paths, notes, limits))
    except OSError as error:
        _leave_message(paths, exit_codes.MISCELLANEOUS, str(error))
        return exit_codes.MISCELLANEOUS


async def _run(spec: PodSpec, paths: PodPaths, notes: Sequence[str], limits: Limits | None) -> int:
    ctrl = Ctrl(spec, paths, now_ms=_now_ms, rng=random.Random(), limits=limits, notes=notes)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ctrl.terminate)
    loop.add_signal_handler(signal.SIGINT, ctrl.terminate)
    loop.add_signal_handler(signal.SIGHUP, lambda: ctrl.restart_command(wanted_restarts(paths.restarts)))
    code = await ctrl.run()
    if ctrl.failure is not None:
        _leave_message(paths, ctrl.failure.code, ctrl.failure.message)
    return code


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _leave_message(paths: PodPaths, code: int, message: str) -> None:
    paths.termination_log.write_text(json.dumps({"code": code, "message": message}))
