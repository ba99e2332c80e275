"""`make demo`: start everything, run the three examples through the real command line, stop. Exits 0 when all of them completed.

Nothing of it is special: a data directory of its own, a free port, and the commands that a person would type.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OSMO = str(Path(sysconfig.get_path("scripts")) / "osmo")
EXAMPLES = (
    ("examples/hello.yaml",),
    ("examples/pipeline.yaml",),
    ("examples/fanout.yaml", "--set", "workers=4", "--set-string", "greeting=Servus"),
)
READY_WITHIN_S = 90
COMPLETED_WITHIN_S = 120
STOPPED_WITHIN_S = 30


class DemoFailed(Exception):
    """The text says what did not happen."""


def main() -> int:
    directory = Path(tempfile.mkdtemp(prefix="osmo-demo-"))
    environ = {**os.environ, "OSMO_CONFIG_FILE_DIR": str(directory / "config")}
    for external in ("OSMO_NATS_URL", "OSMO_DATABASE_URL"):
        environ.pop(external, None)
    began = time.monotonic()
    try:
        run(directory, environ)
    except DemoFailed as failure:
        print(f"\nThe demo failed: {failure}\nWhat it left to look at: {directory}/up/logs", flush=True)
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    print(f"\nAll {len(EXAMPLES)} examples COMPLETED, in {time.monotonic() - began:.1f} s.", flush=True)
    return 0


def run(directory: Path, environ: dict[str, str]) -> None:
    port = free_port()
    say(f"osmo up --port {port}")
    server = subprocess.Popen(
        [OSMO, "up", "--data-dir", str(directory / "up"), "--port", str(port)],
        env=environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_until_ready(server)
        osmo(environ, "login", f"http://127.0.0.1:{port}", "--method", "dev", "--username", "demo")
        for example in EXAMPLES:
            run_example(environ, example)
    finally:
        stop(server)
    if server.returncode != 0:
        raise DemoFailed(f"osmo up ended with exit code {server.returncode}")


def wait_until_ready(server: subprocess.Popen[str]) -> None:
    """Until it prints `ready <url>`; a watchdog ends it when that takes too long."""
    assert server.stdout is not None
    ends_at(READY_WITHIN_S, server)
    line = server.stdout.readline()
    signal.alarm(0)
    if not line.startswith("ready "):
        raise DemoFailed("osmo up did not get ready")
    print(line, end="", flush=True)


def run_example(environ: dict[str, str], example: tuple[str, ...]) -> None:
    say(f"osmo workflow submit {' '.join(example)}")
    submitted = json.loads(osmo(environ, "workflow", "submit", *example, "--format-type", "json", quiet=True))
    workflow_id = submitted["name"]
    print(f"Workflow ID - {workflow_id}", flush=True)
    osmo(environ, "workflow", "logs", workflow_id)
    status = wait_until_ended(environ, workflow_id)
    print(f"{workflow_id} {status}", flush=True)
    if status != "COMPLETED":
        osmo(environ, "workflow", "query", workflow_id)
        osmo(environ, "workflow", "events", workflow_id)
        raise DemoFailed(f"{workflow_id} ended {status}")


def wait_until_ended(environ: dict[str, str], workflow_id: str) -> str:
    """Its status, once that is final. The logs have ended by now, so that this is the last commit on its way."""
    until = time.monotonic() + COMPLETED_WITHIN_S
    while True:
        answer = osmo(environ, "workflow", "query", workflow_id, "--format-type", "json", quiet=True)
        status = str(json.loads(answer)["status"])
        if status not in {"PENDING", "RUNNING", "WAITING"}:
            return status
        if time.monotonic() > until:
            raise DemoFailed(f"{workflow_id} is still {status} after {COMPLETED_WITHIN_S} s")
        time.sleep(0.1)


def osmo(environ: dict[str, str], *arguments: str, quiet: bool = False) -> str:
    """The output of one command, copied to the screen as it comes unless it is for us alone."""
    lines: list[str] = []
    with subprocess.Popen([OSMO, *arguments], env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ends_at(COMPLETED_WITHIN_S, process)
        for line in process.stdout:
            lines.append(line)
            if not quiet:
                print(line, end="", flush=True)
    signal.alarm(0)
    text = "".join(lines)
    if process.returncode != 0:
        raise DemoFailed(
            f"osmo {' '.join(arguments)} ended with exit code {process.returncode}\n{text if quiet else ''}"
        )
    return text


def ends_at(seconds: int, process: subprocess.Popen[str]) -> None:
    """A watchdog: the process is ended when the time is up, unless `signal.alarm(0)` comes first."""
    signal.signal(signal.SIGALRM, lambda *_: process.terminate())
    signal.alarm(seconds)


def stop(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def say(command: str) -> None:
    print(f"\n$ {command}", flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
