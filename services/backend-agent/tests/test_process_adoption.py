"""An agent that is killed and started again: pods go on, nothing runs twice, what was begun is finished."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

from tests.process_cluster import (
    UUID,
    bash,
    eventually,
    kill_everything,
    marked,
    one_life,
    process_cluster,
    running_router,
)

from osmo_agent.process.host_node import cluster_uid
from osmo_agent.process.pod_specs import pod_specs
from osmo_agent.process.pod_store import PodStore
from osmo_domain.cluster import PodPhase
from osmo_domain.command import CreateGroup
from osmo_domain.plan import GroupPlan
from osmo_runtime.shim.pod_dir import Deletion, PodDir


def only_pod(state_dir: Path) -> PodDir:
    (path,) = (state_dir / "pods").iterdir()
    return PodDir(path)


async def test_pods_go_on_without_an_agent_and_the_next_one_adopts_them(tmp_path: Path) -> None:
    async with running_router() as router:
        async with one_life(tmp_path, router) as first:
            await first.create(bash("echo up; until [ -e /osmo/run/go ]; do sleep 0.02; done; echo done; exit 6"))
            await first.says("up")
        pod = only_pod(tmp_path)
        assert pod.alive()
        (pod.root / "osmo/run/go").touch()
        await eventually(lambda: not pod.alive())
        async with one_life(tmp_path, router) as second:
            fact = await second.ended()
            assert (fact.phase, second.user_code()) == (PodPhase.FAILED, 6)
            assert [each.phase for each in await second.runtime.list_pods()] == [PodPhase.FAILED]
        assert router.of("wf-1", "a").texts("STDOUT") == ["up", "done"]


async def test_a_killed_agent_leaves_running_tasks_alone(tmp_path: Path) -> None:
    """The agent is a process of its own here, and is killed with all its family."""
    life = f"""
import asyncio, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from tests.process_cluster import bash, one_life, FakeLogRouter
async def main():
    router = FakeLogRouter(); router.port = int(sys.argv[2])
    async with one_life(Path(sys.argv[1]), router) as cluster:
        await cluster.create(bash("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done"))
        await asyncio.Event().wait()
asyncio.run(main())
"""
    async with running_router() as router:
        agent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", life, str(tmp_path), str(router.port), start_new_session=True
        )
        await eventually(lambda: "2" in router.of("wf-1", "a").texts())
        os.killpg(agent.pid, signal.SIGKILL)
        await agent.wait()
        async with one_life(tmp_path, router) as second:
            assert (await second.ended()).phase is PodPhase.SUCCEEDED
        assert router.of("wf-1", "a").texts("STDOUT") == list("12345678")


async def test_a_pod_that_lost_its_shim_is_lost_and_nothing_of_it_remains(tmp_path: Path) -> None:
    for isolation in ("full", "mount", "none"):
        state_dir = tmp_path / isolation
        async with process_cluster(state_dir, isolation=isolation) as cluster:
            await cluster.create(bash("setsid sleep 1000 & echo up; while :; do sleep 0.05; done"))
            await cluster.says("up")
            pod = only_pod(state_dir)
            shim = pod.shim()
            assert shim is not None
            os.kill(shim.pid, signal.SIGKILL)
            fact = await cluster.ended()
            assert (fact.phase, fact.reason) == (PodPhase.FAILED, "NodeLost")
            await eventually(lambda pod=pod: not marked(pod.path))


async def test_an_attempt_never_runs_twice(tmp_path: Path) -> None:
    """A command that comes again, while the pod is there, after it ended and after it was removed, changes nothing."""
    count = bash(f"echo ran >> {tmp_path}/count")
    async with process_cluster(tmp_path / "state", isolation="none") as cluster:
        await cluster.create(count)
        await cluster.create(count)
        await cluster.ended()
        await cluster.create(count)
        await cluster.delete()
        await eventually(lambda: not any((tmp_path / "state/pods").iterdir()))
        await cluster.create(count)
        assert list(await cluster.runtime.list_pods()) == []
        await cluster.create(count, retry_id=1)
        await eventually(lambda: (tmp_path / "count").read_text() == "ran\nran\n")


async def test_a_second_shim_over_a_started_pod_does_nothing(tmp_path: Path) -> None:
    async with process_cluster(tmp_path / "state", isolation="none") as cluster:
        await cluster.run(bash(f"echo ran >> {tmp_path}/count"))
        pod = only_pod(tmp_path / "state")
        again = await asyncio.create_subprocess_exec(sys.executable, "-m", "osmo_runtime.shim", str(pod.path))
        assert await again.wait() == 0
        assert not pod.alive()
        assert (tmp_path / "count").read_text() == "ran\n"


async def test_a_pod_whose_agent_died_before_it_started_is_started_by_the_next(tmp_path: Path) -> None:
    async with running_router() as router:
        group = GroupPlan("group", (bash("echo late"),))
        command = CreateGroup("wf-1", UUID, "p", "u", "group", {"a": 0}, {"a": "n"}, group=group)
        (spec,) = pod_specs(command, router.url)
        PodStore(tmp_path).create(spec)
        try:
            async with one_life(tmp_path, router) as cluster:
                assert (await cluster.ended()).phase is PodPhase.SUCCEEDED
                assert cluster.stored().texts("STDOUT") == ["late"]
        finally:
            await kill_everything(tmp_path)


async def test_a_removal_that_was_begun_is_finished_by_the_next_agent(tmp_path: Path) -> None:
    async with running_router() as router:
        async with one_life(tmp_path, router) as first:
            await first.create(bash("echo up; sleep 1000"))
            await first.says("up")
        only_pod(tmp_path).write_deletion(Deletion())
        async with one_life(tmp_path, router) as second:
            await second.ended()
            await eventually(lambda: not any((tmp_path / "pods").iterdir()))


async def test_a_pod_whose_directory_was_deleted_ends(tmp_path: Path) -> None:
    """Whoever throws the state directory away throws the tasks away, too: nobody could ever ask for them again."""
    async with process_cluster(tmp_path / "state") as cluster:
        await cluster.create(bash("echo up; sleep 1000"))
        await cluster.says("up")
        pod = only_pod(tmp_path / "state")
        shutil.rmtree(pod.path)
        await eventually(lambda: not marked(pod.path))


async def test_a_state_directory_that_is_moved_stays_the_same_cluster(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    uid = cluster_uid(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    assert cluster_uid(tmp_path / "after") == uid
