"""The embedded servers: started, found again after a kill, and PostgreSQL also where we are root."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from osmo_cli.up.leftovers import end_leftovers

SCRIPT = """
import os, signal, sys
from pathlib import Path
import osmo_cli.up.unprivileged as unprivileged
from osmo_cli.up import streams
from osmo_cli.up.layout import DataDir, choose_ports
from osmo_cli.up.nats_server import NatsServer
from osmo_cli.up.postgres import Postgres
from osmo_cli.up.supervisor import Supervisor

data_dir = DataDir(Path(sys.argv[1]))
data_dir.make()
ports = choose_ports(data_dir.root)
if "no-namespace" in sys.argv:
    unprivileged.CLONE_NEWUSER = -1
nats, postgres = NatsServer(data_dir, ports.nats), Postgres(data_dir)
supervisor = Supervisor(data_dir.processes, lambda text: sys.stderr.write(text + chr(10)))
with supervisor.signals():
    supervisor.start(nats.birth())
    supervisor.start(postgres.birth())
    supervisor.wait_until("nats", nats.ready, within_s=20)
    supervisor.wait_until("postgres", postgres.ready, within_s=20)
    postgres.create_database()
    supervisor.run_once(streams.birth(data_dir, nats.url), within_s=20)
    print(postgres.url, flush=True)
    if "kill" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    supervisor.stop([nats.name, postgres.name])
"""


def run(directory: Path, *how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(directory), *how]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("how", [(), ("no-namespace",)])
def test_servers_start_stop_and_start_again_after_a_kill(tmp_path: Path, how: tuple[str, ...]) -> None:
    for ending, code in (((), 0), (("kill",), -9), ((), 0)):
        ran = run(tmp_path, *how, *ending)
        assert ran.returncode == code, ran.stderr
        assert ran.stdout.startswith("postgresql://")
        end_leftovers(tmp_path / "processes.json")


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    ran = run(tmp_path / ("x" * 100))
    assert ran.returncode == 0, ran.stderr
