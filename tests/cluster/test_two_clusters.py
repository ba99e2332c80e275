"""Two clusters under one control plane: one of them is cut off in the middle of its work, and both histories are whole in the end."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from tests.cluster.fixtures import require_kubernetes
from tests.cluster.house import House, house, latest
from tests.cluster.kubernetes import KubernetesCluster, running_kubernetes
from tests.flows.person import ends, spec, task

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="session"),
]

SLOW = {"metadata": {"annotations": {"test.osmo/runs-for": "2s"}}}
CUT_S = 60.0
WITHIN_S = 120.0
STEPS = 6


class Seen:
    """Every pod that there ever was in a namespace, by attempt, and how each was seen last."""

    def __init__(self, cluster: KubernetesCluster, namespace: str) -> None:
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self.uids: dict[str, set[str]] = {}
        self.deleting_while_running: list[str] = []

    async def watch(self) -> None:
        async with self._cluster.api() as api:
            while True:
                for pod in (await api.get(self._path))["items"]:
                    self._note(pod)
                await asyncio.sleep(0.05)

    def _note(self, pod: Any) -> None:
        labels = pod["metadata"]["labels"]
        attempt = f"{labels['osmo.workflow_id']}/{labels['osmo.task_name']}/{labels['osmo.retry_id']}"
        self.uids.setdefault(attempt, set()).add(pod["metadata"]["uid"])
        if pod["metadata"].get("deletionTimestamp") and pod["status"].get("phase") == "Running":
            self.deleting_while_running.append(attempt)

    def doubled(self) -> dict[str, set[str]]:
        return {attempt: uids for attempt, uids in self.uids.items() if len(uids) > 1}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(pytestconfig: pytest.Config) -> AsyncIterator[House]:
    require_kubernetes(pytestconfig)
    async with AsyncExitStack() as stack:
        clusters = [await stack.enter_async_context(running_kubernetes()) for _ in range(2)]
        made = await stack.enter_async_context(house())
        await made.store_in_s3("s3://tasks/osmo", {"access_key_id": "nobody", "access_key": "moves data here"})
        for name, cluster in zip(("east", "west"), clusters, strict=True):
            await cluster.add_kwok_nodes(2)
            await made.add(name, cluster, template=SLOW)
        yield made


def chain(name: str) -> str:
    return spec(name, task("s0"), *(task(f"s{step}", after=[f"s{step - 1}"]) for step in range(1, STEPS)))


async def test_a_cluster_that_is_cut_off_for_a_minute_loses_and_doubles_nothing(place: House) -> None:
    """Its pods run on, the other cluster works as ever, and after healing the histories agree."""
    east, west = place.workers["east"], place.workers["west"]
    seen = {name: Seen(worker.cluster, worker.namespace) for name, worker in place.workers.items()}
    watching = [asyncio.create_task(each.watch()) for each in seen.values()]
    names = {f"{pool}-{n}": pool for pool in ("east", "west") for n in range(4)}
    ids = {await place.ada.submit(chain(name), pool=pool): pool for name, pool in names.items()}
    for workflow in ids:
        await place.until(workflow, lambda one: latest(one)["s0"].status == "RUNNING", within_s=WITHIN_S)
    await west.link.cut()
    began = asyncio.get_running_loop().time()
    for workflow, pool in ids.items():
        if pool == "east":
            assert (await place.over(workflow, within_s=WITHIN_S)).status == "COMPLETED"
    later = await place.ada.submit(chain("while-cut"), pool="west")
    pods_before = len(seen["west"].uids)
    await asyncio.sleep(max(0.0, CUT_S - (asyncio.get_running_loop().time() - began)))
    assert (await place.ada.api.workflow(later)).status == "PENDING"
    assert len(seen["west"].uids) == pods_before, "nobody tells a cluster that is cut off to start anything"
    for workflow in (each for each, pool in ids.items() if pool == "west"):
        assert (await place.ada.api.workflow(workflow)).status == "RUNNING"
    await west.link.heal()
    for workflow in (*ids, later):
        found = await place.over(workflow, within_s=WITHIN_S)
        assert found.status == "COMPLETED", (ends(found), west.said()[-3000:])
        assert {entry.retry_id for entry in latest(found).values()} == {0}
    for task_ in watching:
        task_.cancel()
    for each in seen.values():
        assert each.doubled() == {}
        assert each.deleting_while_running == []
    assert sum(len(each.uids) for each in seen.values()) == STEPS * (len(ids) + 1)
    await nothing_left(place)
    assert east.process is not None
    assert east.process.poll() is None


async def test_a_link_that_falls_silent_heals_too(place: House) -> None:
    """A broken path of which neither end is told: connections stay open and nothing comes through."""
    west = place.workers["west"]
    workflow = await place.ada.submit(chain("silent"), pool="west")
    await place.until(workflow, lambda one: latest(one)["s0"].status == "RUNNING", within_s=WITHIN_S)
    west.link.silence()
    await asyncio.sleep(8)
    await west.link.heal()
    assert (await place.over(workflow, within_s=WITHIN_S)).status == "COMPLETED"
    await nothing_left(place)


async def test_agents_and_links_that_fail_at_random_leave_nothing_behind(place: House) -> None:
    rng = random.Random(7)
    ids = [
        await place.ada.submit(chain(f"random-{pool}-{n}"), pool=pool) for pool in ("east", "west") for n in range(3)
    ]
    for _ in range(10):
        await asyncio.sleep(rng.uniform(0.1, 1.5))
        worker = place.workers[rng.choice(("east", "west"))]
        if rng.random() < 0.5:
            worker.kill()
            worker.start()
        else:
            await worker.link.cut()
            await asyncio.sleep(rng.uniform(0.1, 1.0))
            await worker.link.heal()
    for workflow in ids:
        found = await place.over(workflow, within_s=WITHIN_S)
        assert found.status == "COMPLETED", ends(found)
    await nothing_left(place)


async def nothing_left(place: House) -> None:
    for worker in place.workers.values():
        await worker.nothing_left()
