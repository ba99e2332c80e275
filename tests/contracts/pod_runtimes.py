"""The adapters of the PodRuntime port, each as something that can be opened, closed and opened again over the same pods."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.cluster.kubernetes import KubernetesCluster
from tests.kubernetes_runtime import ending_as_told, own_namespace
from tests.kubernetes_runtime import one_life as life_in_cluster
from tests.process_cluster import kill_everything, one_life, running_router

from osmo_agent.ports import PodRuntime
from osmo_agent.simulated import Journal, SimulatedCluster, SimulatedRuntime, parse_nodes
from osmo_service.clock import SystemClock

Lives = Callable[[], AbstractAsyncContextManager[PodRuntime]]
"""Each call is one life of the adapter; the pods outlive it."""

Opens = Callable[[Path], AbstractAsyncContextManager[Lives]]


@asynccontextmanager
async def simulated(state_dir: Path) -> AsyncIterator[Lives]:
    @asynccontextmanager
    async def life() -> AsyncIterator[PodRuntime]:
        journal = Journal(state_dir / "pods.jsonl")
        try:
            yield SimulatedRuntime(SimulatedCluster(parse_nodes("2x8")), SystemClock(), journal)
        finally:
            journal.close()

    yield life


@asynccontextmanager
async def process(state_dir: Path) -> AsyncIterator[Lives]:
    async with running_router() as router:

        @asynccontextmanager
        async def life() -> AsyncIterator[PodRuntime]:
            async with one_life(state_dir, router) as cluster:
                yield cluster.runtime

        try:
            yield life
        finally:
            await kill_everything(state_dir)


def in_cluster(cluster: KubernetesCluster) -> Opens:
    """The kubernetes runtime against a real API server, on simulated nodes."""

    @asynccontextmanager
    async def kubernetes(_: Path) -> AsyncIterator[Lives]:
        async with own_namespace(cluster) as namespace, ending_as_told(cluster, namespace):
            yield lambda: life_in_cluster(cluster, namespace)

    return kubernetes


ADAPTERS: dict[str, Opens] = {"simulated": simulated, "process": process}
