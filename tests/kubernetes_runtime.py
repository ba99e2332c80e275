"""Lives of the agent's kubernetes runtime in a namespace of a real cluster, and what a test needs around them."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from tests.cluster.api import Api, Refused
from tests.cluster.kubernetes import KubernetesCluster
from tests.tcp_proxy import TcpProxy, tcp_proxy

from osmo_agent.kubernetes.cluster_settings import ClusterSettings
from osmo_agent.kubernetes.runtime import KubernetesRuntime
from osmo_agent.kubernetes.sweep import SweepTiming
from osmo_domain.cluster import PodEvent, PodFact, PodPhase
from osmo_domain.command import CreateGroup, DeleteGroup
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_domain.pod_making import PodMaking
from osmo_domain.requests import RestartCommand
from osmo_kube import Timing, connect
from osmo_runtime.pod_secrets import PodSecrets
from osmo_service.clock import SystemClock

UUID = "0123456789abcdef" * 2
BACKEND = "east"
HASTY = SweepTiming(look_s=0.1, again_s=0.5, sweep_s=0.5, silent_s=0.3, stuck_s=600)
"""For tests that wait for what comes in minutes elsewhere."""
QUICK = Timing(watch_s=60, late_s=5, silent_s=70, resync_s=600, first_pause_s=0.05, longest_pause_s=0.5)


class Line:
    """What control containers would have been told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, RestartCommand]] = []

    async def restart(self, workflow_id: str, task: str, command: RestartCommand) -> None:
        self.told.append((workflow_id, task, command))


class Rules:
    """What the configuration says about nodes, until it says something else."""

    def __init__(self) -> None:
        self.rules: dict[str, str] = {"Ready": "True"}

    async def current(self) -> Mapping[str, str]:
        return self.rules


@asynccontextmanager
async def one_life(
    cluster: KubernetesCluster,
    namespace: str,
    *,
    kubeconfig: Path | None = None,
    backend: str = BACKEND,
    line: Line | None = None,
    rules: Rules | None = None,
    sweep_timing: SweepTiming | None = None,
) -> AsyncIterator[KubernetesRuntime]:
    settings = ClusterSettings(backend, namespace, "http://router.example", grace_s=2)
    rng = random.Random(7)
    async with connect(str(kubeconfig or cluster.kubeconfig), rng=rng, environ={}) as api:
        runtime = KubernetesRuntime(
            *(api, settings, line or Line(), rules or Rules(), SystemClock(), rng),
            timing=QUICK,
            sweep_timing=sweep_timing,
        )
        async with runtime.running():
            yield runtime


@asynccontextmanager
async def own_namespace(cluster: KubernetesCluster) -> AsyncIterator[str]:
    """A fresh namespace; in the end nothing in it is held back by our finalizer."""
    namespace = await cluster.create_namespace()
    try:
        yield namespace
    finally:
        await cluster.delete_namespace(namespace)
        async with cluster.api() as api:
            for pod in (await api.get(f"/api/v1/namespaces/{namespace}/pods"))["items"]:
                await let_go(api, pod)


async def let_go(api: Api, pod: Any) -> None:
    metadata = pod["metadata"]
    with contextlib.suppress(Refused):
        await api.call(
            "PATCH",
            f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}",
            {"metadata": {"finalizers": None}},
            "application/merge-patch+json",
        )


@asynccontextmanager
async def ending_as_told(cluster: KubernetesCluster, namespace: str) -> AsyncIterator[None]:
    """Pods here run for SIM_SECONDS and end with SIM_EXIT_CODE: KWOK is told so by annotations, which it obeys."""
    async with cluster.api() as api:
        playing = asyncio.create_task(_play(api, namespace))
        try:
            yield
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def _play(api: Api, namespace: str) -> None:
    told: set[str] = set()
    path = f"/api/v1/namespaces/{namespace}/pods"
    while True:
        with contextlib.suppress(Refused, aiohttp.ClientError):
            for pod in (await api.get(path))["items"]:
                if pod["metadata"]["uid"] not in told:
                    await api.patch(f"{path}/{pod['metadata']['name']}", {"metadata": {"annotations": _orders(pod)}})
                    told.add(pod["metadata"]["uid"])
        await asyncio.sleep(0.05)


def _orders(pod: Any) -> dict[str, str]:
    user = pod["spec"]["containers"][0]
    asked = {each["name"]: each.get("value", "") for each in user["env"]}
    return {
        "test.osmo/runs-for": f"{int(float(asked.get('SIM_SECONDS', '0')) * 1000)}ms",
        f"test.osmo/exit-code.{user['name']}": asked.get("SIM_EXIT_CODE", "0"),
    }


class Seen:
    """What one watch shows."""

    def __init__(self) -> None:
        self.lines: list[PodFact | PodEvent] = []

    async def follow(self, runtime: KubernetesRuntime) -> None:
        async for batch in runtime.watch_pods():
            self.lines += batch

    def facts(self, task: str = "a", retry_id: int = 0) -> list[PodFact]:
        return [
            each for each in self.lines if isinstance(each, PodFact) and (each.task, each.retry_id) == (task, retry_id)
        ]

    def events(self, task: str = "a") -> list[PodEvent]:
        return [each for each in self.lines if isinstance(each, PodEvent) and each.task == task]

    async def until(self, condition: Callable[[PodFact], bool], task: str = "a", retry_id: int = 0) -> PodFact:
        """The first fact about this attempt that meets the condition."""

        def found() -> list[PodFact]:
            return [fact for fact in self.facts(task, retry_id) if condition(fact)]

        await eventually(lambda: bool(found()))
        return found()[0]


@asynccontextmanager
async def watched(runtime: KubernetesRuntime) -> AsyncIterator[Seen]:
    seen = Seen()
    watching = asyncio.create_task(seen.follow(runtime))
    try:
        yield seen
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def eventually(condition: Callable[[], bool | Awaitable[bool]], within_s: float = 40) -> None:
    async with asyncio.timeout(within_s):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.02)


def task(name: str = "a", **more: Any) -> TaskPlan:
    return TaskPlan(name=name, image="any", command=("true",), **more)


def creation(
    *tasks: TaskPlan, retry_id: int = 0, node: str = "kwok-0", making: PodMaking | None = None, uuid: str = UUID
) -> CreateGroup:
    names = [each.name for each in tasks]
    return CreateGroup(
        "wf-1",
        uuid,
        "pool",
        "ann",
        "g",
        dict.fromkeys(names, retry_id),
        dict.fromkeys(names, node) if node else {},
        GroupPlan("g", tasks, barrier=False),
        tokens=dict.fromkeys(names, "proof"),
        pods=making,
    )


async def create(
    runtime: KubernetesRuntime, *tasks: TaskPlan, secrets: Mapping[str, PodSecrets] | None = None, **more: Any
) -> None:
    await runtime.apply_group(creation(*tasks, **more), secrets)


async def delete(runtime: KubernetesRuntime, *names: str, retry_id: int = 0, force: bool = True) -> None:
    await runtime.delete_group(DeleteGroup("wf-1", UUID, "g", dict.fromkeys(names or ("a",), retry_id), force=force))


async def names_in(api: Api, namespace: str, plural: str) -> list[str]:
    """What is there of this kind, but for what every namespace has."""
    items = (await api.get(f"/api/v1/namespaces/{namespace}/{plural}"))["items"]
    return sorted(each["metadata"]["name"] for each in items if each["metadata"]["name"] != "kube-root-ca.crt")


@asynccontextmanager
async def link_to(cluster: KubernetesCluster, folder: Path) -> AsyncIterator[tuple[TcpProxy, Path]]:
    """A way to the API server that a test can cut or silence, and the kubeconfig that goes this way."""
    host, _, port = cluster.server.removeprefix("https://").rpartition(":")
    async with tcp_proxy(int(port), target_host=host) as proxy:
        path = folder / "linked.kubeconfig"
        path.write_text(cluster.kubeconfig.read_text().replace(cluster.server, f"https://127.0.0.1:{proxy.port}"))
        yield proxy, path


def is_phase(*phases: PodPhase) -> Any:
    return lambda fact: fact.phase in phases


async def is_empty(api: Api, namespace: str) -> bool:
    """Nothing of ours is left, but for what remembers that attempts are over."""
    left = [name for plural in ("pods", "secrets", "services") for name in await names_in(api, namespace, plural)]
    maps = await names_in(api, namespace, "configmaps")
    return not left and all(name.startswith(("osmo-ended-", "osmo-kinds-")) for name in maps)
