"""Pods as real processes: what a task sees, what becomes of it, what is left of it. On every level of isolation that this kernel has."""

import base64
import os
from pathlib import Path

import pytest
from tests.process_cluster import bash, eventually, marked, process_cluster

from osmo_api.ctrl import Action
from osmo_domain.cluster import PodPhase
from osmo_domain.plan import CheckpointPlan, FilePlan, InputPlan, OutputPlan, TaskPlan
from osmo_runtime.shim.pod_dir import PodDir

LEVELS = pytest.mark.parametrize("isolation", ["full", "mount", "none"])
PRIVATE = pytest.mark.parametrize("isolation", ["full", "mount"])


@LEVELS
async def test_hello(tmp_path: Path, isolation: str) -> None:
    """A task's output arrives with its sources, its phases are reported, its containers end with 0, and facts come in order."""
    async with process_cluster(tmp_path, isolation=isolation) as cluster:
        fact = await cluster.run(bash("echo hello; echo trouble >&2; printf 'no newline'"))
        assert fact.phase is PodPhase.SUCCEEDED
        assert [(each.role, each.exit_code) for each in fact.containers] == [("init", 0), ("ctrl", 0), ("user", 0)]
        stored = cluster.stored()
        assert stored.texts("STDOUT") == ["hello", "no newline"]
        assert stored.texts("STDERR") == ["trouble"]
        assert "ubuntu:24.04 is recorded and not used" in stored.texts("OSMO_CTRL")[0]
        assert stored.ended
        assert sorted(stored.phases) == ["CONNECTED", "EXECUTED", "EXECUTING"]
        phases = [seen.phase for seen in cluster.seen()]
        assert phases == sorted(phases, key=list(PodPhase).index)
        assert PodPhase.RUNNING in phases
        status = PodDir(next((tmp_path / "pods").iterdir())).status()
        assert status is not None
        assert status.isolation == isolation


async def test_a_pod_that_is_removed_while_it_is_looked_at_says_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not back at its beginning."""

    def removed_meanwhile(pod: PodDir) -> None:
        if pod.path.exists():
            pod.path.rename(tmp_path / "removed")

    async with process_cluster(tmp_path) as cluster:
        await cluster.run(bash("true"))
        with monkeypatch.context() as patched:
            patched.setattr(PodDir, "status", removed_meanwhile)
            assert await cluster.runtime.list_pods() == []
        assert cluster.seen()[-1].phase is PodPhase.SUCCEEDED


@LEVELS
@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143), ("no-such-program", 127)],
)
async def test_the_exit_code_is_the_commands(tmp_path: Path, isolation: str, script: str, code: int) -> None:
    async with process_cluster(tmp_path, isolation=isolation) as cluster:
        fact = await cluster.run(bash(script))
        assert fact.phase is PodPhase.FAILED
        assert cluster.user_code() == code
        assert code in [report.exit_code for report in cluster.stored().reports]


async def test_a_missing_command_is_127_and_says_so(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.run(TaskPlan(name="a", image="i", command=("no-such-program", "x")))
        assert cluster.user_code() == 127
        assert cluster.stored().texts("STDERR") == [
            "osmo: cannot start the command: no-such-program: command not found"
        ]


async def test_a_command_that_is_no_program_is_126(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.run(TaskPlan(name="a", image="i", command=("/etc/passwd",)))
        assert cluster.user_code() == 126
        assert "permission denied" in cluster.stored().texts("STDERR")[0]


@LEVELS
async def test_the_environment_is_clean_but_for_what_the_spec_says(
    tmp_path: Path, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSMO_NATS_URL", "nats://secret")
    task = bash(
        "env; pwd; command -v python3", environment={"GREETING": "hi $(NAME)", "NAME": "you", "AGAIN": "$(NAME)"}
    )
    async with process_cluster(tmp_path, isolation=isolation) as cluster:
        assert (await cluster.run(task)).phase is PodPhase.SUCCEEDED
        said = cluster.stored().texts("STDOUT")
        assert {"GREETING=hi $(NAME)", "AGAIN=you", "NVIDIA_VISIBLE_DEVICES="} <= set(said)
        assert not any("secret" in line for line in said)
        assert said[-2].endswith("/osmo/run/workspace")


@PRIVATE
async def test_osmo_and_tmp_are_the_tasks_own(tmp_path: Path, isolation: str) -> None:
    """Neither the neighbour nor the host sees what a task writes there; the host's own /tmp is not seen by the task."""
    name = f"left-by-{os.getpid()}-{isolation}"
    marker = Path("/tmp") / f"host-{name}"
    marker.touch()
    try:
        async with process_cluster(tmp_path, isolation=isolation) as cluster:
            script = f"echo one > /tmp/{name}; echo one > /osmo/run/{name}; cat /tmp/{name}; until [ -e /osmo/go ]; do sleep 0.01; done"
            await cluster.create(bash(script))
            await cluster.says("one")
            fact = await cluster.run(bash(f"ls /tmp/{name} /osmo/run/{name} {marker}", "b"))
            assert fact.phase is PodPhase.FAILED
            assert len(cluster.stored("b").texts("STDERR")) == 3
            assert not Path("/tmp", name).exists()
            assert not Path("/osmo/run", name).exists()
    finally:
        marker.unlink()


@PRIVATE
async def test_injected_files_stand_at_exactly_their_paths(tmp_path: Path, isolation: str) -> None:
    """In place of, beside and far from files of the host; which itself stays as it was."""
    before = sorted(Path("/etc").iterdir())
    files = {
        "/tmp/deep/er/run.sh": "own tmp",
        "/workspace/new/file": "a folder that the host has not",
        "/etc/passwd": "in place of the host's",
        "/etc/osmo-test.conf": "beside the host's",
        "/etc/osmo-test.d/x/y.conf": "a new folder in a host's folder",
        "/osmo/data/output/seed": "under the output",
    }
    plans = [FilePlan(path, text) for path, text in files.items()]
    plans.append(FilePlan("/opt/osmo-binary", base64.b64encode(b"\0\1raw").decode(), base64=True))
    script = f"for f in {' '.join(files)}; do cat $f; echo; done; od -An -tx1 /opt/osmo-binary; test -r /etc/hosts"
    async with process_cluster(tmp_path, isolation=isolation) as cluster:
        fact = await cluster.run(bash(script, files=tuple(plans)))
        assert fact.phase is PodPhase.SUCCEEDED, cluster.stored().lines
        assert cluster.stored().texts("STDOUT") == [*files.values(), " 00 01 72 61 77"]
    assert sorted(Path("/etc").iterdir()) == before


async def test_a_file_that_cannot_be_placed_fails_the_start_and_says_why(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        fact = await cluster.run(bash("echo never", files=(FilePlan("/usr/bin", "a folder is there"),)))
        assert (fact.phase, fact.reason) == (PodPhase.FAILED, "StartError")
        assert "/usr/bin" in fact.message
        assert "/usr/bin" in cluster.stored().texts("STDERR")[0]
        assert cluster.stored().texts("STDOUT") == []


async def test_without_a_private_root_paths_are_rewritten_and_it_is_said(tmp_path: Path) -> None:
    files = (
        FilePlan("/etc/osmo-test.conf", "see /osmo/data"),
        FilePlan("/tmp/go.sh", "cat /etc/osmo-test.conf; echo $OUT"),
    )
    task = bash("bash /tmp/go.sh; echo made > /osmo/output/made", files=files, environment={"OUT": "/osmo/data/output"})
    async with process_cluster(tmp_path, isolation="none") as cluster:
        assert (await cluster.run(task)).phase is PodPhase.SUCCEEDED
        root = next((tmp_path / "pods").iterdir()) / "root"
        assert cluster.stored().texts("STDOUT") == [f"see {root}/osmo/data{root}/osmo/data/output"]
        assert (root / "osmo/data/output/made").read_text() == "made\n"
        assert "No private file system" in cluster.stored().texts("OSMO_CTRL")[1]
    assert not Path("/etc/osmo-test.conf").exists()


@LEVELS
async def test_data_goes_from_one_task_to_the_next(tmp_path: Path, isolation: str) -> None:
    url = f"file://{tmp_path}/store/wf-1/a"
    async with process_cluster(tmp_path / "state", isolation=isolation) as cluster:
        await cluster.run(
            bash("mkdir /osmo/output/sub; echo 42 > /osmo/data/output/sub/answer", outputs=(OutputPlan(url),))
        )
        fact = await cluster.run(bash("cat /osmo/data/input/0/sub/answer", "b", inputs=(InputPlan(url, task="a"),)))
        assert fact.phase is PodPhase.SUCCEEDED
        assert cluster.stored("b").texts("STDOUT") == ["42"]
        assert cluster.stored("a").steps[-2:] == ["UPLOADING", "UPLOADED"]
        assert [phase for phase in cluster.stored("b").phases if "DOWN" in phase] == ["DOWNLOADING", "DOWNLOADED"]
        downloaded = next(each for each in cluster.stored("b").reports if each.phase == "DOWNLOADED")
        assert (downloaded.bytes, downloaded.files) == (3, 1)


async def test_outputs_are_uploaded_after_a_failure_too_and_an_empty_folder_is_said(tmp_path: Path) -> None:
    outputs = (OutputPlan(f"file://{tmp_path}/store"),)
    async with process_cluster(tmp_path / "state") as cluster:
        await cluster.run(bash("echo partial > /osmo/output/partial; exit 9", outputs=outputs))
        assert (tmp_path / "store/partial").read_text() == "partial\n"
        await cluster.run(bash("true", "b", outputs=outputs))
        assert cluster.stored("b").texts("UPLOAD") == ["The output folder is empty: nothing to upload"]


async def test_a_bad_input_ends_ctrl_with_its_code_and_the_command_never_runs(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        fact = await cluster.run(bash("echo never", inputs=(InputPlan("gs://bucket/x"),)))
        codes = {each.role: each.exit_code for each in fact.containers}
        assert (fact.phase, codes["ctrl"], codes["user"]) == (PodPhase.FAILED, 30, 0)
        assert "gs://bucket/x" in next(each.message for each in fact.containers if each.role == "ctrl")
        assert 2030 in [report.exit_code for report in cluster.stored().reports]
        assert cluster.stored().texts("STDOUT") == []


async def test_checkpoints_are_uploaded_while_it_runs_and_once_more_at_the_end(tmp_path: Path) -> None:
    checkpoint = CheckpointPlan("/osmo/run/ckpt", f"file://{tmp_path}/store", 0.05)
    script = "mkdir /osmo/run/ckpt; echo 1 > /osmo/run/ckpt/step; sleep 0.5; echo 2 > /osmo/run/ckpt/last"
    async with process_cluster(tmp_path / "state") as cluster:
        await cluster.create(bash(script, checkpoints=(checkpoint,)))
        await eventually((tmp_path / "store/step").exists)
        assert not (tmp_path / "store/last").exists()
        assert (await cluster.ended()).phase is PodPhase.SUCCEEDED
        assert (tmp_path / "store/last").read_text() == "2\n"
        assert any("Checkpoint of /osmo/run/ckpt" in text for text in cluster.stored().texts("OSMO_CTRL"))


@LEVELS
async def test_deleting_ends_the_command_and_everything_that_it_started(tmp_path: Path, isolation: str) -> None:
    script = (
        "trap 'echo told; exit 4' TERM; setsid sleep 1000 & (sleep 1000 & ) ; echo up; while :; do sleep 0.05; done"
    )
    async with process_cluster(tmp_path, isolation=isolation) as cluster:
        await cluster.create(bash(script))
        await cluster.says("up")
        pod = next((tmp_path / "pods").iterdir())
        assert len(marked(pod)) >= 3
        await cluster.delete()
        fact = await cluster.ended()
        assert fact.phase is PodPhase.FAILED
        await eventually(lambda: not any((tmp_path / "pods").iterdir()))
        assert marked(pod) == []
        assert "told" in cluster.stored().texts("STDOUT")


@LEVELS
async def test_forced_deletion_gives_no_time_and_the_pod_is_gone(tmp_path: Path, isolation: str) -> None:
    async with process_cluster(tmp_path, isolation=isolation) as cluster:
        await cluster.create(bash("trap '' TERM; setsid sleep 1000 & echo up; while :; do sleep 0.05; done"))
        await cluster.says("up")
        pod = next((tmp_path / "pods").iterdir())
        await cluster.delete(force=True)
        await eventually(lambda: not any((tmp_path / "pods").iterdir()))
        await eventually(lambda: marked(pod) == [])
        assert (await cluster.ended()).phase in (PodPhase.GONE, PodPhase.FAILED)


async def test_a_command_that_ignores_the_request_is_killed_after_the_grace(tmp_path: Path) -> None:
    async with process_cluster(tmp_path, grace_s=0.3) as cluster:
        await cluster.create(bash("trap '' TERM; echo up; while :; do sleep 0.05; done"))
        await cluster.says("up")
        await cluster.delete()
        await eventually(lambda: not any((tmp_path / "pods").iterdir()), 5)


async def test_nothing_of_the_command_survives_its_end(tmp_path: Path) -> None:
    """Also on a machine without process namespaces: what it left in other sessions is killed, so that the pod ends."""
    async with process_cluster(tmp_path, isolation="mount") as cluster:
        fact = await cluster.run(bash("setsid sleep 1000 & (setsid sleep 1000 &); echo done"))
        assert fact.phase is PodPhase.SUCCEEDED
        assert marked(next((tmp_path / "pods").iterdir())) == []


async def test_restart_kills_the_command_and_runs_it_again_in_the_same_pod(tmp_path: Path) -> None:
    script = "if [ -e /osmo/run/been ]; then echo again; exit 5; fi; touch /osmo/run/been; echo first; setsid sleep 1000 & wait"
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(bash(script))
        await cluster.says("first")
        for _ in range(3):
            await cluster.restart(number=1)
        await cluster.ended()
        assert cluster.user_code() == 5
        assert cluster.stored().texts("STDOUT") == ["first", "again"]


async def test_a_restarted_member_waits_at_the_barrier_again_for_this_start(tmp_path: Path) -> None:
    script = (
        "echo $$ >> /osmo/run/starts; cat /osmo/run/starts | wc -l; test $(wc -l < /osmo/run/starts) = 3 || sleep 1000"
    )
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(bash(script), bash("true", "b"), barrier=True)
        await cluster.says("1")
        cluster.router.open_barrier = False
        await cluster.restart(number=1)
        await eventually(lambda: cluster.stored().barriers == 2)
        await cluster.router.act(("wf-1", "a", 0), Action("barrier", restarts=0))
        await cluster.restart(number=2)
        await eventually(lambda: cluster.stored().barriers == 3)
        assert [each.restarts for each in cluster.stored().reports if each.phase == "AT_BARRIER"] == [0, 1, 2]
        await cluster.router.act(("wf-1", "a", 0), Action("barrier", restarts=2))
        await cluster.says("2")
        cluster.router.open_barrier = True
        await cluster.restart(number=3)
        assert (await cluster.ended()).phase is PodPhase.SUCCEEDED
        assert cluster.stored().texts("STDOUT") == ["1", "2", "3"]


async def test_a_task_reaches_its_neighbour_by_its_own_address(tmp_path: Path) -> None:
    serve = "import socket,sys; s=socket.create_server((sys.argv[1],45671)); print('up',flush=True); s.accept()[0].send(b'hi')"
    ask = "import socket,sys; print(socket.create_connection((sys.argv[1], 45671)).recv(9).decode())"
    server = TaskPlan(name="a", image="i", command=("python3", "-c", serve), args=("{{host:a}}",))
    client = TaskPlan(name="b", image="i", command=("python3", "-c", ask), args=("{{host:a}}",))
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(server)
        await cluster.says("up")
        both = (server, client)
        await cluster.create(*both)
        await cluster.ended("b")
        assert cluster.stored("b").texts("STDOUT") == ["hi"]


async def test_a_gang_starts_together_at_its_barrier(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        cluster.router.open_barrier = False
        await cluster.create(bash("echo go", "a"), bash("echo go", "b"), barrier=True)
        await eventually(lambda: cluster.stored("a").barriers and cluster.stored("b").barriers)
        assert cluster.stored("a").texts("STDOUT") == []
        cluster.router.open_barrier = True
        await cluster.router.stop()
        await cluster.router.start()
        assert (await cluster.ended("a")).phase is PodPhase.SUCCEEDED
        assert (await cluster.ended("b")).phase is PodPhase.SUCCEEDED


async def test_this_machine_is_the_one_node(tmp_path: Path) -> None:
    async with process_cluster(tmp_path, gpu=2) as cluster:
        (node,) = await cluster.runtime.list_nodes()
        assert node.cpu >= 1
        assert node.gpu == 2
        assert node.memory_bytes > 1 << 28
        identity = await cluster.runtime.identity()
        assert (identity.kind, identity) == ("process", await cluster.runtime.identity())
