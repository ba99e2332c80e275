"""Starting, signalling and ending the shims that stand over pods."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from osmo_agent.process.options import ProcessOptions
from osmo_runtime.shim.containers import POD_MARK
from osmo_runtime.shim.pod_dir import PodDir, PodStatus, ShimProcess

LOOK_EVERY_S = 0.02
ASK_EVERY_S = 1.0
"""A shim that has only just begun may not listen yet."""

KILL_AFTER_GRACE_S = 5


async def start_shim(pod: PodDir, options: ProcessOptions, hints: Path, now_ms: int) -> None:
    """Put a shim over the pod, unless one was there; returns when it stands. A pod over which none can be put becomes FAILED.

    The shim leaves this process's session and family at once, so that it outlives us however we end.
    """
    osmo = Path(sys.executable).parent / "osmo"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "osmo_runtime.shim",
        str(pod.path),
        "--isolation",
        options.isolation,
        "--grace",
        str(options.grace_s),
        "--hints",
        str(hints),
        "--osmo-program",
        str(osmo) if osmo.exists() else "",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env=options.task_environment(),
    )
    code = await process.wait()
    if code > 0 and pod.mark_started():
        why = _last_line(pod.log) or f"it ended with {code}"
        pod.write_status(
            PodStatus("FAILED", now_ms, reason="StartError", message=f"cannot start the pod's shim: {why}")
        )


def _last_line(log: Path) -> str:
    try:
        return log.read_text(errors="replace").strip().rpartition("\n")[2]
    except OSError:
        return ""


async def end_shim(pod: PodDir, *, force: bool, grace_s: float) -> None:
    """Returns when nothing of the pod runs any more: asked first, killed after the grace, or killed at once with `force`."""
    now = asyncio.get_running_loop().time
    deadline = now() if force else now() + grace_s + KILL_AFTER_GRACE_S
    ask_at = now()
    while pod.alive():
        if now() >= deadline:
            signal_shim(pod, signal.SIGKILL)
        elif now() >= ask_at:
            signal_shim(pod, signal.SIGTERM)
            ask_at = now() + ASK_EVERY_S
        await asyncio.sleep(LOOK_EVERY_S)
    shim = pod.shim()
    if shim is not None and shim.isolation != "full":
        kill_marked(pod)


def signal_shim(pod: PodDir, number: int) -> None:
    """Harmless when the shim has ended."""
    shim = pod.shim()
    if shim is not None and _is(shim):
        with contextlib.suppress(ProcessLookupError):
            os.kill(shim.pid, number)


def _is(shim: ShimProcess) -> bool:
    """The process of that number is still the one that we mean."""
    try:
        fields = Path(f"/proc/{shim.pid}/stat").read_bytes().rsplit(b")", 1)[1].split()
    except OSError:
        return shim.start_time == 0
    return int(fields[19]) == shim.start_time


def kill_marked(pod: PodDir) -> None:
    """Kill what a pod without a process namespace of its own may have left: whoever carries its mark in the environment."""
    mark = f"{POD_MARK}={pod.path.resolve()}".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in environ.read_bytes().split(b"\0"):
                os.kill(int(environ.parent.name), signal.SIGKILL)
