"""What must not be in the tree: hosts of package registries, paths of a machine, secrets; and tasks that nobody owns.

Looks at every file that git tracks or would track. Each exemption stands below with its reason.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Written in two parts, so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files.pythonhosted", "org"),
        ("test.pypi", "org"),
        ("registry.npmjs", "org"),
        ("registry.yarnpkg", "com"),
        ("proxy.golang", "org"),
        ("sum.golang", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("repo.maven.apache", "org"),
        ("conda.anaconda", "org"),
        ("deb.debian", "org"),
        ("archive.ubuntu", "com"),
    )
)

MACHINE_PATHS = tuple("/" + name + "/" for name in ("work", "root", "home/runner"))

PATH_USERS = {
    "services/backend-agent/tests/test_process_unprivileged.py": "run by root, it shows root's home to another user",
}
"""Files that mean such a path as a path of every machine."""

SECRETS = re.compile(
    "|".join(
        (
            "-----BEGIN [A-Z ]*PRIVATE " + "KEY-----",
            r"\bAKIA[0-9A-Z]{16}\b",
            r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
            r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b",
            r"\bSU[A-Z2-7]{56}\b",
        )
    )
)

BARE_TASK = re.compile(r"\b(asyncio|loop|get_running_loop\(\))\.(create_task|ensure_future)\(")
"""A scope's own `TaskGroup.create_task` is always fine."""

TASK_OWNERS = {
    "libs/service/": "the lifecycle itself",
    "libs/eventlog/src/osmo_eventlog/memory/requests.py": "answers, owned and awaited by their replica",
    "libs/eventlog/src/osmo_eventlog/nats/cancelling.py": "one call, awaited at once, so that a cancellation beside its answer is heeded",
    "libs/eventlog/src/osmo_eventlog/nats/requests.py": "answers, owned and awaited by the endpoint",
    "libs/eventlog/src/osmo_eventlog/nats/reader.py": "clean-up that must end although its caller is cancelled, shielded and awaited",
    "libs/eventlog/src/osmo_eventlog/nats/work_queue.py": "waits for the first of two events, cancelled beside; shielded clean-up",
    "runtime/src/osmo_runtime/ctrl/life.py": "the link for as long as ctrl lives, restarts that are asked for; all awaited at the end",
    "runtime/src/osmo_runtime/ctrl/link.py": "the directions of one connection, cancelled and awaited when one ends",
    "runtime/src/osmo_runtime/ctrl/user_link.py": "waits for the first of two events, cancelled beside",
    "services/backend-agent/src/osmo_agent/kubernetes/runtime.py": "its loops, for as long as it runs; cancelled and awaited on leaving",
    "services/backend-agent/src/osmo_agent/process/runtime.py": "starts and removals of pods, kept by key until they are over",
    "services/gateway/src/osmo_gateway/log_stream.py": "the two readers of one log request, cancelled and awaited with it",
    "services/log-router/src/osmo_log_router/barriers.py": "one watch per workflow that waits, kept by workflow, cancelled and awaited at close",
    "services/scheduler/src/osmo_scheduler/together.py": "coroutines run as one, cancelled and awaited together",
}
"""Where production code may start a task outside a TaskGroup, and who looks after it."""

LOCK = "requirements.lock"
"""Held to the same rule for hosts; the rest of it is hashes."""


def main() -> None:
    problems = [problem for path in tracked_files() for problem in problems_of(path)]
    if problems:
        sys.exit("\n".join(problems))


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return sorted({ROOT / name.decode() for name in listed.stdout.split(b"\0") if name})


def problems_of(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return
    name = str(path.relative_to(ROOT))
    for number, line in enumerate(text.splitlines(), 1):
        for what in problems_of_line(name, line):
            yield f"{name}:{number}: {what}"


def problems_of_line(name: str, line: str) -> Iterator[str]:
    for host in REGISTRY_HOSTS:
        if host in line:
            yield f"names the package registry {host}"
    if name != LOCK and name not in PATH_USERS and not name.startswith("docs/"):
        for path in MACHINE_PATHS:
            if re.search(rf"(?<![\w.$}}*-]){re.escape(path)}", line):
                yield f"names a path of this machine: {path}"
    if SECRETS.search(line):
        yield "looks like a secret"
    if is_production(name) and BARE_TASK.search(line) and not any(name.startswith(owner) for owner in TASK_OWNERS):
        yield "starts a task that nobody is known to own: use a TaskGroup, or add it to TASK_OWNERS with the reason"


def is_production(name: str) -> bool:
    return name.endswith(".py") and "/src/" in name


if __name__ == "__main__":
    main()
