"""The agent's kubernetes runtime and nodes: what it tells of them, and what becomes of pods whose node is gone."""

import asyncio
import contextlib

import pytest
from tests.cluster import kwok
from tests.cluster.kubernetes import KubernetesCluster
from tests.kubernetes_runtime import (
    UUID,
    Rules,
    create,
    delete,
    eventually,
    is_empty,
    is_phase,
    names_in,
    one_life,
    task,
    watched,
)

from osmo_agent.kubernetes.runtime import KubernetesRuntime
from osmo_agent.kubernetes.sweep import SweepTiming
from osmo_domain.cluster import PodPhase
from osmo_domain.ids import pod_name
from osmo_domain.plan import Resources
from osmo_domain.workflow.pod_status import judge

pytestmark = pytest.mark.xdist_group("cluster")

POD = pod_name(UUID, "a")


@pytest.mark.timeout(240)
async def test_pods_of_a_node_that_is_gone_fail(kubernetes: KubernetesCluster, home: str) -> None:
    (node,) = await kubernetes.add_kwok_nodes(1, prefix="lost")
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api, watched(runtime) as seen:
        await eventually(lambda: has_node(runtime, node))
        await create(runtime, task(), node=node)
        await seen.until(is_phase(PodPhase.RUNNING))
        await api.delete(f"/api/v1/nodes/{node}")
        await eventually(lambda: has_no_node(runtime, node))
        await eventually(lambda: judge(seen.facts()[-1]).exit_code == 3001, within_s=150)
        assert seen.facts()[-1].phase in (PodPhase.FAILED, PodPhase.GONE)
        await delete(runtime)
        await eventually(lambda: is_empty(api, home))


@pytest.mark.parametrize("asked_first", [False, True], ids=["told when the node is gone", "told before"])
async def test_a_removal_gives_no_time_to_a_node_that_is_gone(
    kubernetes: KubernetesCluster, home: str, asked_first: bool
) -> None:
    """A cluster gets rid of such pods by itself, but only after 40 to 80 s: a retry would wait for that."""
    name = f"silent-{home}"
    deaf = kwok.node(name, 0)
    deaf["metadata"]["annotations"] = {}
    patient = SweepTiming(look_s=0.1, again_s=600)
    async with (
        kubernetes.api() as api,
        one_life(kubernetes, home, sweep_timing=patient) as runtime,
        watched(runtime) as seen,
    ):
        await api.create("/api/v1/nodes", deaf)
        await create(runtime, task(), node=name)
        await seen.until(is_phase(PodPhase.INITIALIZING))
        if asked_first:
            await delete(runtime, force=False)
            assert await names_in(api, home, "pods") == [POD]
        await api.delete(f"/api/v1/nodes/{name}")
        await eventually(lambda: has_no_node(runtime, name))
        if not asked_first:
            await delete(runtime, force=False)
        await eventually(lambda: is_empty(api, home), within_s=20)


async def has_node(runtime: KubernetesRuntime, name: str) -> bool:
    return any(node.name == name for node in await runtime.list_nodes())


async def has_no_node(runtime: KubernetesRuntime, name: str) -> bool:
    return not await has_node(runtime, name)


async def test_rules_about_nodes_hold_as_they_are_at_the_moment(kubernetes: KubernetesCluster, home: str) -> None:
    (node,) = await kubernetes.add_kwok_nodes(1, prefix="ruled", gpus=0)
    rules = Rules()
    async with one_life(kubernetes, home, rules=rules) as runtime, kubernetes.api() as api:
        await eventually(lambda: has_node(runtime, node))
        condition = {"type": "GpuHealthy", "status": "False", "reason": "Xid", "message": ""}
        await api.patch(f"/api/v1/nodes/{node}/status", {"status": {"conditions": [condition]}})
        rules.rules = {"Ready": "True", "Gpu": "True"}
        await eventually(lambda: is_unavailable(runtime, node))
        rules.rules = {"Ready": "True", "Gpu": "True|False"}
        assert not await is_unavailable(runtime, node)


async def test_nodes_tell_what_others_use_of_them(kubernetes: KubernetesCluster, home: str, namespace: str) -> None:
    (node,) = await kubernetes.add_kwok_nodes(1, prefix="shared", gpus=4, cpus=16)
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api, watched(runtime) as seen:

        async def used(cpu: float, gpu: int) -> bool:
            facts = {fact.name: fact for fact in await runtime.list_nodes()}
            return node in facts and (facts[node].used_cpu, facts[node].used_gpu) == (cpu, gpu)

        await eventually(lambda: used(0, 0))
        await no_news_of_nodes(runtime)
        changes = asyncio.create_task(runtime.nodes_changed())
        amounts = {"cpu": "1500m", "nvidia.com/gpu": "2"}
        other = {
            "metadata": {"name": "other"},
            "spec": {
                "nodeName": node,
                "containers": [{"name": "c", "image": "x", "resources": {"requests": amounts, "limits": amounts}}],
            },
        }
        await api.create(f"/api/v1/namespaces/{namespace}/pods", other)
        await eventually(lambda: used(1.5, 2))
        await asyncio.wait_for(changes, 5)
        await create(runtime, task(resources=Resources(cpu=2, gpu=1)), node=node)
        await seen.until(is_phase(PodPhase.RUNNING))
        assert await used(1.5, 2)
        await api.delete(f"/api/v1/namespaces/{namespace}/pods/other", gracePeriodSeconds=0)
        await eventually(lambda: used(0, 0))
        await api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
        await eventually(lambda: is_unavailable(runtime, node))
        fact = next(each for each in await runtime.list_nodes() if each.name == node)
        assert (fact.cpu, fact.gpu) == (16, 4)
        await api.delete(f"/api/v1/nodes/{node}")


async def no_news_of_nodes(runtime: KubernetesRuntime) -> None:
    """Returns when whatever changed was told."""
    with contextlib.suppress(TimeoutError):
        while True:
            await asyncio.wait_for(runtime.nodes_changed(), 0.5)


async def is_unavailable(runtime: KubernetesRuntime, name: str) -> bool:
    return any(node.name == name and not node.available for node in await runtime.list_nodes())
