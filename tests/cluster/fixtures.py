"""pytest fixtures: one real cluster per worker process, a fresh namespace in it per test, and a node that runs real containers."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext

import pytest
import pytest_asyncio
from tests.cluster import build
from tests.cluster.kubernetes import KubernetesCluster, running_kubernetes
from tests.cluster.node import NoContainers, RealNode, require_containers, running_node
from tests.kubernetes_runtime import own_namespace

REQUIRED = "OSMO_REQUIRE_CLUSTER"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kubernetes(pytestconfig: pytest.Config) -> AsyncIterator[KubernetesCluster]:
    """A cluster with two simulated nodes of 8 GPUs, `kwok-0` and `kwok-1`."""
    require_kubernetes(pytestconfig)
    async with running_kubernetes() as cluster:
        await cluster.add_kwok_nodes(2)
        yield cluster


@pytest.fixture
async def namespace(kubernetes: KubernetesCluster) -> AsyncIterator[str]:
    """The name of a namespace of this test alone."""
    name = await kubernetes.create_namespace()
    yield name
    await kubernetes.delete_namespace(name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node(pytestconfig: pytest.Config, kubernetes: KubernetesCluster) -> AsyncIterator[RealNode]:
    """A node of the same cluster that runs real containers, `real-0`; it says that it has 8 GPUs."""
    try:
        require_containers()
    except NoContainers as missing:
        skip_loudly(pytestconfig, f"no containers to test with: {missing}")
    async with running_node(kubernetes, gpus=8) as one:
        yield one


def require_kubernetes(config: pytest.Config) -> None:
    """Builds what is not built yet; skips loudly where it cannot be built."""
    try:
        with heard(config):
            build.programs()
    except build.NoClusterProgram as missing:
        skip_loudly(config, f"no Kubernetes to test with: {missing}")


def skip_loudly(config: pytest.Config, reason: str) -> None:
    """Skip what asked; or fail, where OSMO_REQUIRE_CLUSTER=1 says that nothing may be missing."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{reason} ({REQUIRED}=1 forbids the skip)", pytrace=False)
    with heard(config):
        build.say(f"SKIPPED: {reason}")
    pytest.skip(reason)


@contextmanager
def heard(config: pytest.Config) -> Iterator[None]:
    """What is said to standard error here gets to the terminal at once: pytest would keep it for a report that a skipped test never makes."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        yield


@pytest.fixture
async def home(kubernetes: KubernetesCluster) -> AsyncIterator[str]:
    """The same for an agent of this test: none of its finalizers holds the namespace back."""
    async with own_namespace(kubernetes) as namespace:
        yield namespace
