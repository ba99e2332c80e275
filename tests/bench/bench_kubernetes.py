"""A large Kubernetes cluster: a real API server and etcd, simulated nodes (KWOK), our agent as a process of its own. All of it shares this machine."""

import asyncio
import re
import time
from collections.abc import Mapping

import psutil
from tests.bench.bench import Bench
from tests.bench.table import Row, p50_p99, percentile, rate, seconds
from tests.cluster import build
from tests.cluster.house import House, Worker, house
from tests.cluster.kubernetes import KubernetesCluster, running_kubernetes
from tests.flows.person import spec, task

POOL = "kwok"
TASKS_EACH = 1_000
MADE_WITHIN_S, GONE_WITHIN_S = 900.0, 1_800.0
ARGO = "Argo 35 workflows/s on 5 shards"
OPERATORS = "OSMO operator 58.6 events/s (Python), 951/s (Go)"
MIB = 1 << 20

_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>[0-9.e+]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_WRITES = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE"})
_OURS = frozenset({"pods", "secrets", "services", "configmaps"})


async def kubernetes(bench: Bench) -> list[Row]:
    """Pods made, seen and removed on many nodes."""
    try:
        await asyncio.to_thread(build.programs)
    except build.NoClusterProgram as missing:
        return [Row("Kubernetes", f"could not be measured: {missing}")]
    nodes, pods = bench.scaled(5_000), bench.scaled(10_000)
    async with running_kubernetes() as cluster, house() as made:
        await cluster.add_kwok_nodes(nodes)
        await _untainted(cluster)
        await made.store_in_s3("s3://tasks/osmo", {"access_key_id": "nobody", "access_key": "moves data here"})
        began = time.monotonic()
        worker = await made.add(POOL, cluster)
        run = _Run(cluster, made, worker, nodes, pods)
        known = await run.all_nodes_known() - began
        return [
            seconds(f"{nodes:,} Kubernetes nodes: from the agent's start to all of them in the API", known),
            *await run.make(),
            *await run.see(200 if not bench.quick else 40),
            *await run.remove(),
        ]


async def _untainted(cluster: KubernetesCluster) -> None:
    """Kubernetes keeps new nodes closed until its node controller has looked at each."""
    async with asyncio.timeout(MADE_WITHIN_S), cluster.api() as api:
        while any(node["spec"].get("taints") for node in (await api.get("/api/v1/nodes"))["items"]):
            await asyncio.sleep(1)


class _Run:
    def __init__(self, cluster: KubernetesCluster, made: House, worker: Worker, nodes: int, pods: int) -> None:
        self._cluster = cluster
        self._house = made
        self._worker = worker
        self._nodes = nodes
        self._wanted = pods
        self._path = f"/api/v1/namespaces/{worker.namespace}/pods"
        self._names: list[str] = []
        assert worker.process is not None
        self._agent = psutil.Process(worker.process.pid)

    async def all_nodes_known(self) -> float:
        async with asyncio.timeout(MADE_WITHIN_S):
            while True:
                found = await self._house.say("GET", f"/api/resources?pools={POOL}", None)
                if len(found["resources"]) >= self._nodes:
                    return time.monotonic()
                await asyncio.sleep(0.2)

    async def make(self) -> list[Row]:
        """Workflows of 1,000 tasks at once, until every pod exists."""
        each = min(TASKS_EACH, self._wanted)
        writes, cpu, began = await self._writes(), _cpu(self._agent), time.monotonic()
        for number in range(self._wanted // each):
            body = spec(f"many-{number}", *(task(f"t{n}") for n in range(each)))
            self._names.append(await self._house.ada.submit(body, pool=POOL))
        await self._until(self._wanted, MADE_WITHIN_S)
        took = time.monotonic() - began
        per_pod = (await self._writes() - writes) / self._wanted
        used = (_cpu(self._agent) - cpu) / self._wanted
        what = f"{self._nodes:,} nodes, {self._wanted:,} pods"
        return [
            rate(f"{what}: pods made, from the first submission", self._wanted / took, limit=f"{ARGO}; {OPERATORS}"),
            Row(f"{what}: writes to the API server per pod made", f"{per_pod:.1f}", limit="Secret and pod"),
            seconds(f"{what}: the agent's CPU per pod made", used),
            Row(f"{what}: resident memory of the agent", f"{self._agent.memory_info().rss / MIB:,.0f} MiB"),
        ]

    async def see(self, count: int) -> list[Row]:
        """A pod's status changes as a kubelet writes it; polled until the API shows the task's end (an upper bound)."""
        took = [await self._seen(number) for number in range(count)]
        what = f"{self._wanted:,} pods: pod change to the API"
        peers = "OSMO 1.86 s mean (Python), 0.37 s (Go); best published 620 ms"
        return [
            seconds(f"{what}, p50", percentile(took, 0.5), ours=p50_p99(took), limit=peers),
            seconds(f"{what}, p99", percentile(took, 0.99), 0.100),
        ]

    async def _seen(self, number: int) -> float:
        workflow, name = self._names[number % len(self._names)], f"t{number}"
        async with self._cluster.api() as api:
            selector = f"osmo.workflow_id%3D{workflow},osmo.task_name%3D{name}"
            (pod,) = (await api.get(f"{self._path}?labelSelector={selector}"))["items"]
            status: Mapping[str, object] = {"phase": "Failed", "reason": "Evicted", "message": "for the bench"}
            await api.patch(f"{self._path}/{pod['metadata']['name']}/status", {"status": status})
        began = time.monotonic()
        async with asyncio.timeout(60):
            while True:
                answer = await self._house.say("GET", f"/api/workflow/{workflow}/task/{name}", None)
                if answer["status"] == "FAILED_EVICTED":
                    return time.monotonic() - began
                await asyncio.sleep(0.002)

    async def remove(self) -> list[Row]:
        """All workflows are cancelled, until nothing of them is left in the cluster."""
        left = await self._count()
        writes, began = await self._writes(), time.monotonic()
        for name in self._names:
            await self._house.cancel(name)
        await self._until(0, GONE_WITHIN_S)
        took = time.monotonic() - began
        per_pod = (await self._writes() - writes) / max(1, left)
        return [
            rate(f"{left:,} running pods cancelled: pods removed", left / took),
            Row("writes to the API server per pod removed", f"{per_pod:.1f}", limit="finalizer, pod, Secret"),
        ]

    async def _until(self, count: int, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while await self._count() != count:
                await asyncio.sleep(1)

    async def _count(self) -> int:
        async with self._cluster.api() as api:
            page = await api.get(f"{self._path}?limit=1")
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    async def _writes(self) -> float:
        """Of objects, as agents write them; statuses and bindings are written by KWOK and Kubernetes' scheduler."""
        async with self._cluster.api() as api:
            text = await api.text("/metrics")
        total = 0.0
        for found in _REQUESTS.finditer(text):
            labels = dict(_LABEL.findall(found["labels"]))
            if labels["verb"] in _WRITES and labels["resource"] in _OURS and not labels["subresource"]:
                total += float(found["count"])
        return total


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
