"""The built runtime, users' images, and pods made of both."""

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from images.cached import cached_runtime
from runtime.tests.pods import roots
from runtime.tests.pods.pod import Pod
from tests.cluster.fixtures import skip_loudly
from tests.fake_log_router import FakeLogRouter

from osmo_runtime.pod import PodSpec

SOMEBODY = 1000 if os.geteuid() == 0 else os.geteuid()
"""A user who is not root, where this process may choose."""


@pytest.fixture(scope="session")
def built_runtime(pytestconfig: pytest.Config) -> Path:
    """As the image has it at /opt/osmo. Skips loudly on a machine that lacks a C compiler and may install none."""
    script = str(Path(__file__).with_name("packages.sh"))
    installed = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        skip_loudly(
            pytestconfig, f"no runtime image to test: its build tools cannot be installed: {installed.stderr.strip()}"
        )
    return cached_runtime()


@pytest.fixture
async def router() -> AsyncIterator[FakeLogRouter]:
    server = FakeLogRouter()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def user_root(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, roots.Mounts]]:
    """A user's image by its name in `roots`; made once."""
    made: dict[str, tuple[Path, roots.Mounts]] = {}

    def make(kind: str) -> tuple[Path, roots.Mounts]:
        if kind not in made:
            root = tmp_path_factory.mktemp(kind) / "root"
            made[kind] = (root, getattr(roots, kind)(root))
        return made[kind]

    return make


@pytest.fixture
def make_pod(
    tmp_path: Path, built_runtime: Path, user_root: Callable[[str], tuple[Path, roots.Mounts]]
) -> Iterator[Callable[..., Pod]]:
    """`make_pod(image, user=...)`: a pod whose init has run."""
    pods: list[Pod] = []

    def make(image: str = "scratch", *, user: int = SOMEBODY, prepared: bool = True) -> Pod:
        folder = tmp_path / f"pod-{len(pods)}"
        folder.mkdir()
        pod = Pod(folder, built_runtime, *user_root(image), user=user)
        pods.append(pod)
        if prepared:
            init = pod.init("--service-url", "http://127.0.0.1:9", "--user", "somebody")
            assert init.ended() == 0, init.said()
        return pod

    yield make
    for pod in pods:
        pod.close()


@pytest.fixture
def pod_spec(router: FakeLogRouter) -> Callable[..., PodSpec]:
    """What ctrl is told, with a log-router that listens; `outputs=...` and the like go in."""

    def spec(**more: object) -> PodSpec:
        return PodSpec(
            workflow_id="w-1",
            workflow_uuid="uuid-1",
            group="group",
            task="task",
            task_uuid="task-uuid",
            retry_id=0,
            pod_name="pod",
            image="image",
            command=("/probe",),
            router_url=router.url,
            token="token-of-the-attempt",
            **more,  # type: ignore[arg-type]
        )

    return spec
