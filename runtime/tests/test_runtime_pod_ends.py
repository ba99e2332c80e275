"""How a pod of separate containers ends when one of them is told to, or dies without a word."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

from runtime.tests.pods.pod import Pod
from tests.fake_log_router import FakeLogRouter

from osmo_api.ctrl import Action
from osmo_runtime.pod import PodOutput, PodSpec

MakePod = Callable[..., Pod]
MakeSpec = Callable[..., PodSpec]

OUT = PodOutput("file:///storage/out")
STORED = ("w-1", "task", 0)


async def heard(router: FakeLogRouter, text: str, times: int = 1) -> None:
    """Until a line has arrived."""
    async with asyncio.timeout(60), router.changed:
        await router.changed.wait_for(lambda: router.of("w-1", "task").texts().count(text) >= times)


async def ended(container: object) -> int:
    return await asyncio.to_thread(container.ended)  # type: ignore[attr-defined]


def storage_in(tmp_path: Path) -> Path:
    storage = tmp_path / "storage"
    storage.mkdir()
    return storage


async def test_a_pod_that_is_deleted_uploads_nothing(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter, tmp_path: Path
) -> None:
    """The command's last words arrive; ctrl ends with 1, the user's container with what its command makes of the signal."""
    storage, pod = storage_in(tmp_path), make_pod()
    ctrl = pod.ctrl(pod_spec(outputs=(OUT,)), mounts=[(storage, "/storage", True)])
    user = pod.start("hear", "15", "write", "/osmo/data/output/x", "say", "up", "sleep", "60")
    await heard(router, "up")
    user.signal(signal.SIGTERM)  # the kubelet's order is any order
    await asyncio.sleep(0)
    ctrl.signal(signal.SIGTERM)
    assert (await ended(ctrl), await ended(user)) == (1, 115)
    assert "heard 15" in router.of("w-1", "task").texts("STDOUT")
    assert list(storage.iterdir()) == []


async def test_a_command_that_knows_no_signals_ends_with_143(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    pod = make_pod()
    ctrl, user = pod.ctrl(pod_spec()), pod.start("say", "up", "sleep", "60")
    await heard(router, "up")
    ctrl.signal(signal.SIGTERM)
    user.signal(signal.SIGTERM)
    assert (await ended(ctrl), await ended(user)) == (1, 143)


async def test_an_images_own_stop_signal_reaches_the_command(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    pod = make_pod()
    ctrl, user = pod.ctrl(pod_spec()), pod.start("hear", "28", "say", "up", "sleep", "60")
    await heard(router, "up")
    user.signal(signal.SIGWINCH)
    assert (await ended(ctrl), await ended(user)) == (0, 128)


def test_a_user_container_that_waits_for_ctrl_ends_when_told(make_pod: MakePod) -> None:
    """The kernel gives the first process of a container no signal that it does not handle."""
    user = make_pod().start("say", "never")
    _until_it_waits(user)
    user.signal(signal.SIGTERM)
    assert user.ended(within_s=10) == 143


async def test_a_ctrl_that_waits_for_its_user_container_ends_when_told(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    ctrl = make_pod().ctrl(pod_spec())
    async with asyncio.timeout(60), router.changed:
        await router.changed.wait_for(lambda: router.of("w-1", "task").hellos)
    ctrl.signal(signal.SIGTERM)
    assert await ended(ctrl) == 1


async def test_outputs_of_a_user_container_that_was_killed_are_kept(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter, tmp_path: Path
) -> None:
    """As when the kernel had no memory left: the wrapper cannot say anything, and ctrl sees that it has gone."""
    storage, pod = storage_in(tmp_path), make_pod()
    ctrl = pod.ctrl(pod_spec(outputs=(OUT,)), mounts=[(storage, "/storage", True)])
    user = pod.start("write", "/osmo/data/output/x", "say", "up", "sleep", "60")
    await heard(router, "up")
    user.kill()
    assert (await ended(user), await ended(ctrl)) == (137, 0)
    stored = router.of("w-1", "task")
    assert "The user container vanished" in stored.texts("OSMO_CTRL")
    assert stored.reports[stored.phases.index("EXECUTED")].exit_code is None
    assert (storage / "out" / "x").read_text() == "written\n"


async def test_a_user_container_that_dies_before_the_start_fails_the_task(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    """At once, and not when everybody else is at the barrier; the kubelet is left a message."""
    router.open_barrier = False
    pod = make_pod()
    ctrl, user = pod.ctrl(pod_spec(barrier="barrier", barrier_count=2)), pod.start("say", "never")
    async with asyncio.timeout(60), router.changed:
        await router.changed.wait_for(lambda: router.of("w-1", "task").barriers)
    user.kill()
    assert (await ended(user), await ended(ctrl)) == (137, 23)
    message = {"code": 23, "message": "the user container ended before its command was started"}
    assert json.loads(pod.termination_log.read_text()) == message
    assert router.of("w-1", "task").steps[-1] == "FAILED"


async def test_a_command_does_not_outlive_its_ctrl(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    """Nobody would keep what it does, and it would go on to hold its GPUs."""
    pod = make_pod()
    ctrl, user = pod.ctrl(pod_spec()), pod.start("say", "up", "sleep", "60")
    await heard(router, "up")
    ctrl.kill()
    assert (await ended(ctrl), await ended(user)) == (137, 143)


async def test_a_command_that_ignores_the_end_of_its_ctrl_is_killed(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    pod = make_pod()
    ctrl, user = pod.ctrl(pod_spec()), pod.start("ignore", "15", "say", "up", "sleep", "60")
    await heard(router, "up")
    ctrl.kill()
    assert (await ended(ctrl), await ended(user)) == (137, 137)


async def test_a_user_container_that_comes_after_its_ctrl_ended_does_not_wait_for_it(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    """Its image took long to pull, and ctrl could not bring an input meanwhile."""
    pod = make_pod()
    router.refuse = "not today"
    ctrl = pod.ctrl(pod_spec())
    assert await ended(ctrl) == 20
    assert json.loads(pod.termination_log.read_text())["message"] == "log-router refused this task: not today"
    assert await ended(pod.start("say", "never")) == 143
    assert router.of("w-1", "task").texts() == []


async def test_a_command_is_restarted_in_place(make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter) -> None:
    pod = make_pod()
    ctrl, user = pod.ctrl(pod_spec(restarts_by_router=True)), pod.start("hear", "15", "say", "up", "sleep", "60")
    await heard(router, "up")
    await router.act(STORED, Action("restart", restarts=1))
    await heard(router, "up", times=2)
    user.signal(signal.SIGTERM)
    ctrl.signal(signal.SIGTERM)
    assert (await ended(ctrl), await ended(user)) == (1, 115)


def _until_it_waits(user: object) -> None:
    """It has its handlers once it looks for the socket."""
    from runtime.tests.pods.pod import until

    def waits() -> bool:
        status = Path(f"/proc/{user.pid}/status").read_text()  # type: ignore[attr-defined]
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

    until(waits, "the user container to wait for its ctrl")
