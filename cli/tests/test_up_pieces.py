"""The pieces of `osmo up`: lock, ports, secrets, leftovers, children and their supervisor."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from osmo_cli.errors import ServerError, UserError
from osmo_cli.up.layout import DataDir, Ports, choose_ports, choose_shards, rotate, secret
from osmo_cli.up.leftovers import end_leftovers, forget_stale_postmaster, remember, start_of
from osmo_cli.up.lock import locked
from osmo_cli.up.services import Addresses, services

DEADLINE_S = 15.0


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_one_up_per_data_directory(tmp_path: Path) -> None:
    again = pytest.raises(UserError, match=f"process {os.getpid()}")
    with locked(tmp_path / "lock"), again, locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock"):
        pass


def test_ports_stay_the_same_until_somebody_takes_them(tmp_path: Path) -> None:
    first = choose_ports(tmp_path)
    assert choose_ports(tmp_path) == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.nats))
        other.listen()
        second = choose_ports(tmp_path)
    assert second.nats != first.nats
    assert second.log_router == first.log_router


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    first = secret(tmp_path / "key")
    assert secret(tmp_path / "key") == first
    assert len(first) == 64
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_the_data_directory_is_private(tmp_path: Path) -> None:
    DataDir(tmp_path / "a" / "b").make()
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_the_last_logs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    for number in range(5):
        log.write_text(str(number))
        rotate(log)
    assert [(tmp_path / f"x.log.{number}").read_text() for number in (1, 2, 3)] == ["4", "3", "2"]
    assert not log.exists()
    assert not (tmp_path / "x.log.4").exists()


def test_leftovers_of_a_killed_run_are_ended(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    remember(tmp_path / "processes", [left.pid])
    assert end_leftovers(tmp_path / "processes") == 1
    assert left.wait(DEADLINE_S) == -signal.SIGTERM
    assert end_leftovers(tmp_path / "processes") == 0


def test_a_number_that_belongs_to_someone_else_by_now_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "processes").write_text(f'{{"{os.getpid()}": "long ago"}}')
    assert end_leftovers(tmp_path / "processes") == 0


def test_the_pid_file_of_a_postgresql_that_is_gone_is_removed(tmp_path: Path) -> None:
    pid_file = tmp_path / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n")
    forget_stale_postmaster(tmp_path)
    assert not pid_file.exists()


PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from osmo_cli.up.children import Birth, fork, program
from osmo_cli.up.supervisor import Interrupted, Supervisor
root = Path(sys.argv[1])
told = []
supervisor = Supervisor(root / "processes", told.append)
def ready(fd):
    os.write(fd, b"ready\\n")
    signal.pause()
"""


def in_a_process(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Forking belongs into a process with one thread: pytest's has more."""
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(script), str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    ran = in_a_process(
        tmp_path,
        """
        with supervisor.signals():
            first = supervisor.start(Birth("fake", ready, root / "fake.log"))
            supervisor.wait_until("fake", lambda: supervisor.all_ready(["fake"]), within_s=10)
            os.kill(first.pid, signal.SIGKILL)
            again = lambda: supervisor.kept["fake"].child.pid != first.pid and supervisor.all_ready(["fake"])
            supervisor.wait_until("again", again, within_s=10)
            supervisor.stop(["fake"])
        assert "ended (signal SIGKILL), starting it again" in told[0], told
        """,
    )
    assert ran.returncode == 0, ran.stderr


def test_a_child_that_never_starts_ends_the_start_with_its_log(tmp_path: Path) -> None:
    ran = in_a_process(
        tmp_path,
        """
        import osmo_cli.up.supervisor as module
        module.BACKOFF_S = (0.01,)
        def broken(fd):
            raise SystemExit("bad settings: OSMO_X")
        with supervisor.signals():
            supervisor.start(Birth("broken", broken, root / "broken.log"))
            supervisor.wait_until("broken", lambda: supervisor.all_ready(["broken"]), within_s=10)
        """,
    )
    assert ran.returncode == 1
    assert "ServerError: broken does not start (exit code 1)" in ran.stderr
    assert "bad settings: OSMO_X" in ran.stderr


def test_children_stop_in_reverse_order_and_the_stubborn_are_killed(tmp_path: Path) -> None:
    ran = in_a_process(
        tmp_path,
        """
        def stubborn(fd):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            ready(fd)
        with supervisor.signals():
            for name, body in (("a", ready), ("b", stubborn), ("c", ready)):
                supervisor.start(Birth(name, body, root / f"{name}.log"))
            supervisor.wait_until("all", lambda: supervisor.all_ready(["a", "b", "c"]), within_s=10)
            children = {name: kept.child for name, kept in supervisor.kept.items()}
            supervisor.stop(["a", "b", "c"], grace_s=0.2)
        codes = {name: child.exit_code for name, child in children.items()}
        assert codes == {"a": -15, "b": -9, "c": -15}, codes
        assert told == ["killing b: it does not stop within 0.2 s"], told
        """,
    )
    assert ran.returncode == 0, ran.stderr


def test_a_wish_to_end_interrupts_the_start(tmp_path: Path) -> None:
    ran = in_a_process(
        tmp_path,
        """
        with supervisor.signals():
            supervisor.start(Birth("slow", lambda fd: signal.pause(), root / "slow.log"))
            os.kill(os.getpid(), signal.SIGINT)
            try:
                supervisor.wait_until("slow", lambda: supervisor.all_ready(["slow"]), within_s=10)
            except Interrupted:
                supervisor.stop(["slow"])
                sys.exit(42)
        """,
    )
    assert ran.returncode == 42, ran.stderr


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    ran = in_a_process(
        tmp_path,
        """
        with supervisor.signals():
            supervisor.start(Birth("service", ready, root / "service.log"))
            program_ = program(["/bin/sh", "-c", "trap 'exit 0' INT; while :; do sleep 0.05; done"], dict(os.environ))
            supervisor.start(Birth("server", program_, root / "server.log", signal.SIGINT))
            supervisor.wait_until("service", lambda: supervisor.all_ready(["service"]), within_s=10)
            print(*(kept.child.pid for kept in supervisor.kept.values()), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert ran.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in ran.stdout.split()]
    assert len(pids) == 2
    assert eventually(lambda: all(start_of(pid) is None for pid in pids))


def test_a_child_has_none_of_our_files(tmp_path: Path) -> None:
    ran = in_a_process(
        tmp_path,
        """
        from osmo_cli.up.lock import locked
        with supervisor.signals(), locked(root / "lock"):
            def look(fd):
                print(sorted(int(name) for name in os.listdir("/proc/self/fd")), fd, flush=True)
            supervisor.run_once(Birth("look", look, root / "look.log"), within_s=10)
        """,
    )
    assert ran.returncode == 0, ran.stderr
    # stdin, stdout, stderr, the ready pipe, and the listing itself.
    assert len((tmp_path / "look.log").read_text().split("]")[0].split(",")) == 5


def test_a_run_once_that_fails_is_an_error_with_its_log(tmp_path: Path) -> None:
    ran = in_a_process(
        tmp_path,
        """
        with supervisor.signals():
            supervisor.run_once(Birth("once", lambda fd: 1 / 0, root / "once.log"), within_s=10)
        """,
    )
    assert "ServerError: once failed" in ran.stderr
    assert "ZeroDivisionError" in ran.stderr
    assert ServerError.exit_code == 10


def test_a_server_that_cannot_say_that_it_is_ready_costs_nothing(tmp_path: Path) -> None:
    ran = in_a_process(
        tmp_path,
        """
        with supervisor.signals():
            server = program(["/bin/sh", "-c", "while :; do sleep 1; done"], dict(os.environ))
            child = supervisor.start(Birth("server", server, root / "server.log"))
            supervisor.wait_until("it has hung up", lambda: child.ready_fd < 0, within_s=10)
            began = time.process_time()
            for _ in range(5):
                supervisor._look(timeout_s=0.1, starting=False)
            assert time.process_time() - began < 0.1
            supervisor.stop(["server"])
        """,
    )
    assert ran.returncode == 0, ran.stderr


def test_the_number_of_shards_is_chosen_once(tmp_path: Path) -> None:
    assert choose_shards(tmp_path, "2") == 2
    assert choose_shards(tmp_path, "") == 2
    with pytest.raises(UserError, match="cannot change"):
        choose_shards(tmp_path, "3")
    with pytest.raises(UserError, match="not a number from 1 to 99"):
        choose_shards(tmp_path, "none")


def test_each_shard_has_a_scheduler_and_every_service_knows_how_many_there_are(tmp_path: Path) -> None:
    where = Addresses("nats://x", "", "postgresql://x", "127.0.0.1", 8000, "http://x", Ports(nats=1, log_router=2))
    wanted = services(DataDir(tmp_path), where, log_level="INFO", shards=2)
    schedulers = {each.name: each.settings["OSMO_SHARD"] for each in wanted if each.module == "osmo_scheduler.__main__"}
    assert schedulers == {"scheduler": "0", "scheduler-1": "1"}
    assert {each.settings["OSMO_SHARDS"] for each in wanted} == {"2"}
