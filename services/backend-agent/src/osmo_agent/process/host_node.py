"""This machine as the one node of its cluster."""

import hashlib
import os
import platform
import shutil
import socket
from datetime import datetime
from pathlib import Path

from osmo_agent.process.options import ProcessOptions
from osmo_domain.cluster import NodeFact


def node_name() -> str:
    return socket.gethostname()


def cluster_uid(state_dir: Path) -> str:
    """Stable for this state directory, wherever it is moved to: kept in a file of it from the first call on."""
    kept = state_dir / "cluster-uid"
    if not kept.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(".new")
        fresh.write_text(_first_uid(state_dir))
        fresh.replace(kept)
    return kept.read_text().strip()


def _first_uid(state_dir: Path) -> str:
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = socket.gethostname()
    return hashlib.sha256(f"{machine}\0{state_dir.resolve()}".encode()).hexdigest()[:32]


def host_node(state_dir: Path, options: ProcessOptions, now: datetime) -> NodeFact:
    """What this machine has, but for amounts that the options set."""
    return NodeFact(
        name=node_name(),
        at=now,
        cpu=options.cpu or _cpus(),
        gpu=options.gpu,
        memory_bytes=options.memory_bytes or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        storage_bytes=options.storage_bytes or shutil.disk_usage(state_dir).total,
        labels={
            "kubernetes.io/hostname": node_name(),
            "kubernetes.io/os": platform.system().lower(),
            "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        },
    )


def _cpus() -> int:
    """Those that this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
