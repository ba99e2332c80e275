"""Workflows as pods of a real API server on simulated nodes: what clusters do to pods, and what becomes of their tasks."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from tests.cluster.fixtures import require_kubernetes
from tests.cluster.house import House, Worker, house, latest
from tests.cluster.kubernetes import KubernetesCluster, running_kubernetes
from tests.flows.person import ends, spec, task

pytestmark = [
    pytest.mark.xdist_group("cluster-workflows"),
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]

QUICK = {"metadata": {"annotations": {"test.osmo/runs-for": "300ms"}}}
STUCK = {"metadata": {"annotations": {"test.osmo/stays": "pending"}}}
WITHIN_S = 60.0
GPUS_8 = {"default": {"gpu": 8, "cpu": 1, "memory": "1Gi"}}


class Place:
    """What the tests of this file share: pools `sim` (pods run until somebody ends them), `quick` and `stuck` on one cluster of four nodes."""

    def __init__(self, made: House, worker: Worker, cluster: KubernetesCluster) -> None:
        self.house = made
        self.worker = worker
        self.cluster = cluster
        self.pods_path = f"/api/v1/namespaces/{worker.namespace}/pods"

    async def submit(
        self, name: str, *bodies: Mapping[str, Any], pool: str = "sim", priority: str = "", **more: Any
    ) -> str:
        params = {"priority": priority} if priority else {}
        return await self.house.ada.submit(spec(name, *bodies, **more), pool=pool, **params)

    async def over(self, name: str) -> Any:
        return await self.house.over(name, within_s=WITHIN_S)

    async def status(self, name: str, status: str, of: str = "t") -> Any:
        return await self.house.until(name, lambda one: latest(one)[of].status == status, within_s=WITHIN_S)

    async def pod(self, name: str) -> Any:
        """The one pod of this workflow."""
        async with self.cluster.api() as api:
            listed = await api.get(f"{self.pods_path}?labelSelector=osmo.workflow_id%3D{name}")
        (pod,) = listed["items"]
        return pod

    async def say_of(self, pod: Any, status: Mapping[str, Any]) -> None:
        """As a kubelet would."""
        async with self.cluster.api() as api:
            await api.patch(f"{self.pods_path}/{pod['metadata']['name']}/status", {"status": dict(status)})

    async def nothing_left(self) -> None:
        await self.worker.nothing_left()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(pytestconfig: pytest.Config) -> AsyncIterator[Place]:
    require_kubernetes(pytestconfig)
    async with running_kubernetes() as cluster, house() as made:
        await cluster.add_kwok_nodes(4)
        await made.store_in_s3("s3://tasks/osmo", {"access_key_id": "nobody", "access_key": "moves data here"})
        worker = await made.add("sim", cluster)
        await made.pool("quick", "sim", QUICK)
        await made.pool("stuck", "sim", STUCK)
        yield Place(made, worker, cluster)


async def test_a_chain_and_a_fan_out_complete(place: Place) -> None:
    chain = [task("a"), task("b", after=["a"]), task("c", after=["b"])]
    names = [await place.submit("chain", *chain, pool="quick"), await place.submit("wide", *many(60), pool="quick")]
    for name in names:
        assert (await place.over(name)).status == "COMPLETED"
    await place.nothing_left()


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def many(count: int) -> list[dict[str, object]]:
    return [task(f"t{number}") for number in range(count)]


async def test_an_evicted_pod(place: Place) -> None:
    name = await place.submit("evicted", task("t"))
    await place.status(name, "RUNNING")
    evicted = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    await place.say_of(await place.pod(name), evicted)
    workflow = await place.over(name)
    assert ends(workflow) == {"t": ("FAILED_EVICTED", 3004)}
    assert "low on resource" in str(latest(workflow)["t"].failure_message)
    await place.nothing_left()


async def test_a_pod_that_somebody_deletes(place: Place) -> None:
    """Whoever deletes it: the task ends, and nobody waits for a finalizer."""
    name = await place.submit("deleted", task("t"))
    await place.status(name, "RUNNING")
    pod = await place.pod(name)
    async with place.cluster.api() as api:
        await api.delete(f"{place.pods_path}/{pod['metadata']['name']}")
    workflow = await place.over(name)
    assert workflow.status in ("FAILED", "FAILED_BACKEND_ERROR")
    assert ends(workflow)["t"] == ("FAILED_BACKEND_ERROR", 3001)
    await place.nothing_left()


async def test_a_node_that_goes_away_takes_its_tasks_with_it(place: Place) -> None:
    name = await place.submit("lost", task("t"))
    await place.status(name, "RUNNING")
    node = (await place.pod(name))["spec"]["nodeName"]
    async with place.cluster.api() as api:
        await api.delete(f"/api/v1/nodes/{node}")
    workflow = await place.over(name)
    assert ends(workflow) == {"t": ("FAILED_BACKEND_ERROR", 3001)}
    await place.cluster.add_kwok_nodes(1)
    await place.nothing_left()


async def test_a_pod_that_the_clusters_scheduler_preempts(place: Place) -> None:
    name = await place.submit("preempted", task("t"))
    await place.status(name, "RUNNING")
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "preempting to accommodate a higher priority pod",
        "lastTransitionTime": now(),
    }
    await place.say_of(await place.pod(name), {"phase": "Failed", "conditions": [condition]})
    assert ends(await place.over(name)) == {"t": ("FAILED_PREEMPTED", 3006)}
    await place.nothing_left()


async def test_low_work_gives_way_on_a_full_cluster(place: Place) -> None:
    low = [await place.submit(f"low-{number}", task("t"), priority="LOW", resources=GPUS_8) for number in range(4)]
    for name in low:
        await place.status(name, "RUNNING")
    high = await place.submit("high", task("t"), priority="HIGH", resources=GPUS_8)
    await place.status(high, "RUNNING")
    found = {name: (await place.house.ada.api.workflow(name)).status for name in low}
    assert sorted(found.values()) == ["FAILED_PREEMPTED", "RUNNING", "RUNNING", "RUNNING"]
    for name in (high, *low):
        if found.get(name) != "FAILED_PREEMPTED":
            await place.house.cancel(name)
            assert (await place.over(name)).status == "FAILED_CANCELED"
    await place.nothing_left()


async def test_a_pod_that_does_not_start_in_time(place: Place) -> None:
    before = (await place.house.say("GET", "/api/configs/workflow", None))["default_schedule_timeout"]
    await place.house.say("PATCH", "/api/configs/workflow", {"configs_dict": {"default_schedule_timeout": 0.05}})
    try:
        name = await place.submit("stuck", task("t"), pool="stuck")
        assert ends(await place.over(name)) == {"t": ("FAILED_START_TIMEOUT", 3005)}
    finally:
        await place.house.say("PATCH", "/api/configs/workflow", {"configs_dict": {"default_schedule_timeout": before}})
    await place.nothing_left()


async def test_an_image_that_cannot_be_pulled(place: Place) -> None:
    name = await place.submit("no-image", task("t"), pool="stuck")
    await place.status(name, "INITIALIZING")
    pod = await place.pod(name)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "none"'}}
    status = {"name": "t", "image": "none", "imageID": "", "ready": False, "restartCount": 0, "state": waiting}
    await place.say_of(pod, {"phase": "Pending", "containerStatuses": [status]})
    assert ends(await place.over(name)) == {"t": ("FAILED_IMAGE_PULL", 301)}
    await place.nothing_left()


async def test_a_template_that_the_api_server_refuses_fails_its_tasks_and_no_others(place: Place) -> None:
    await place.house.pool("bad", "sim", {"spec": {"terminationGracePeriodSeconds": "soon"}})
    bad = await place.submit("bad", task("t"), pool="bad")
    good = await place.submit("good", task("t"), pool="quick")
    workflow = await place.over(bad)
    assert workflow.status != "COMPLETED"
    assert "terminationGracePeriodSeconds" in json.dumps(str(workflow))
    assert (await place.over(good)).status == "COMPLETED"
    await place.nothing_left()


async def test_kubernetes_events_become_events_of_the_workflow(place: Place) -> None:
    name = await place.submit("told", task("t"))
    await place.status(name, "RUNNING")
    pod = (await place.pod(name))["metadata"]
    event = {
        "metadata": {"generateName": "told-"},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": pod["name"],
            "namespace": pod["namespace"],
            "uid": pod["uid"],
        },
        "reason": "Pulling",
        "message": "Pulling image from far away",
        "type": "Normal",
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
    }
    async with place.cluster.api() as api:
        await api.create(place.pods_path.replace("/pods", "/events"), event)
    assert "Pulling" in await place.house.until_event(name, "Pulling image from far away", within_s=WITHIN_S)
    await place.house.cancel(name)
    await place.over(name)
    await place.nothing_left()


async def test_workflows_go_on_after_an_outage_of_the_api_server(place: Place) -> None:
    """What is submitted meanwhile starts when it is back; what ended meanwhile is seen."""
    running = await place.submit("before", task("t"))
    await place.status(running, "RUNNING")
    place.cluster.stop_apiserver()
    names = [await place.submit(f"during-{number}", task("t"), pool="quick") for number in range(3)]
    await asyncio.sleep(3)
    await place.cluster.start_apiserver()
    for name in names:
        assert (await place.over(name)).status == "COMPLETED"
    assert (await place.house.ada.api.workflow(running)).status == "RUNNING"
    await place.house.cancel(running)
    await place.over(running)
    await place.nothing_left()


async def test_an_agent_that_dies_at_ten_moments_loses_and_doubles_no_pod(place: Place) -> None:
    """Every pod that ever was is counted by its uid: one for each task, and nothing is left behind."""
    made: dict[str, set[str]] = {}

    async def count() -> None:
        async with place.cluster.api() as api:
            while True:
                for pod in (await api.get(place.pods_path))["items"]:
                    labels = pod["metadata"]["labels"]
                    attempt = f"{labels['osmo.workflow_id']}/{labels['osmo.task_name']}/{labels['osmo.retry_id']}"
                    made.setdefault(attempt, set()).add(pod["metadata"]["uid"])
                await asyncio.sleep(0.02)

    counting = asyncio.create_task(count())
    chain = [task("s0"), *(task(f"s{number}", after=[f"s{number - 1}"]) for number in range(1, 8))]
    names = [await place.submit(f"dies-{number}", *chain, pool="quick") for number in range(3)]
    names.append(await place.submit("dies-wide", *many(40), pool="quick"))
    for moment in range(10):
        await asyncio.sleep(0.1 + 0.13 * moment)
        place.worker.kill()
        await asyncio.sleep(0.2)
        place.worker.start()
    for name in names:
        workflow = await place.over(name)
        assert workflow.status == "COMPLETED", (ends(workflow), place.worker.said()[-3000:])
        assert all(entry.retry_id == 0 for entry in latest(workflow).values())
    counting.cancel()
    assert {attempt: uids for attempt, uids in made.items() if len(uids) > 1} == {}
    await place.nothing_left()
