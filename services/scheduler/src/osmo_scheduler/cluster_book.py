"""What the clusters of this shard have, and what of it is promised to live placements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from osmo_domain.cluster import ClusterFact, NodeFact, NodeSeen
from osmo_domain.clusters import Clusters
from osmo_domain.placement import NodeLoad
from osmo_domain.plan import Resources
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import PLACED
from osmo_eventlog.ports import Seq

TaskKey = tuple[str, str]
"""Workflow id and task."""


@dataclass(slots=True)
class Promise:
    """The place of one live attempt. `created` is the position of its create command, 0 while that is not known."""

    backend: str
    node: str
    retry_id: int
    resources: Resources
    created: Seq = 0


class ClusterBook:
    """Loads always equal the sum over live placements. `changed` says that room appeared since it was last cleared."""

    def __init__(self, clusters: Clusters | None = None) -> None:
        self.clusters = clusters or Clusters()
        self.changed = True
        self.lost_nodes: dict[tuple[str, str], None] = {}
        """Nodes that went away and have not come back: what they ran is lost."""
        self._loads: dict[str, dict[str, NodeLoad]] = {}
        self._promises: dict[TaskKey, Promise] = {}
        self._on_node: dict[tuple[str, str], set[TaskKey]] = {}
        for backend, cluster in self.clusters.by_backend.items():
            for node in cluster.nodes.values():
                self._see_node(backend, node)

    def see(self, backend: str, fact: ClusterFact) -> None:
        if self.clusters.see(backend, fact) and isinstance(fact, NodeSeen):
            self._see_node(backend, fact.node)

    def _see_node(self, backend: str, node: NodeFact) -> None:
        loads = self._loads.setdefault(backend, {})
        self.changed = True
        if node.gone:
            loads.pop(node.name, None)
            self.lost_nodes[backend, node.name] = None
            return
        self.lost_nodes.pop((backend, node.name), None)
        known = loads.get(node.name)
        if known is not None:
            known.fact = node
            return
        loads[node.name] = load = NodeLoad(node)
        for key in self._on_node.get((backend, node.name), ()):
            _charge(load, self._promises[key].resources, 1)

    def nodes(self, now: datetime) -> Mapping[str, Mapping[str, NodeLoad]]:
        """The loads of every backend whose agent is there."""
        clusters = self.clusters.by_backend
        return {name: loads for name, loads in self._loads.items() if name in clusters and clusters[name].online(now)}

    def sync(self, state: Workflow, tasks: Iterable[str]) -> None:
        """Promise or free the places of these tasks, as the state says."""
        for task in tasks:
            self._sync_task(state, task)

    def _sync_task(self, state: Workflow, task: str) -> None:
        attempt, key = state.tasks[task].attempt, (state.workflow_id, task)
        known = self._promises.get(key)
        held = attempt.status in PLACED and bool(attempt.node) and state.plan is not None
        if known is not None and held and (known.node, known.retry_id) == (attempt.node, attempt.retry_id):
            return
        self._free(key)
        if held:
            assert state.plan is not None
            resources = state.task_plan(task).resources
            self._promise(key, Promise(state.plan.backend, attempt.node, attempt.retry_id, resources))

    def forget(self, state: Workflow) -> None:
        for task in state.tasks:
            self._free((state.workflow_id, task))

    def _promise(self, key: TaskKey, promise: Promise) -> None:
        self._promises[key] = promise
        self._on_node.setdefault((promise.backend, promise.node), set()).add(key)
        load = self._loads.get(promise.backend, {}).get(promise.node)
        if load is not None:
            _charge(load, promise.resources, 1)

    def _free(self, key: TaskKey) -> None:
        promise = self._promises.pop(key, None)
        if promise is None:
            return
        place = (promise.backend, promise.node)
        self._on_node[place].discard(key)
        if not self._on_node[place]:
            del self._on_node[place]
        load = self._loads.get(promise.backend, {}).get(promise.node)
        if load is not None:
            _charge(load, promise.resources, -1)
        self.changed = True

    def created(self, workflow_id: str, retry_ids: Mapping[str, int], seq: Seq) -> None:
        """The create command of these attempts stands at this position."""
        for task, retry_id in retry_ids.items():
            promise = self._promises.get((workflow_id, task))
            if promise is not None and promise.retry_id == retry_id:
                promise.created = seq

    def on_node(self, backend: str, node: str) -> list[tuple[TaskKey, Promise]]:
        return [(key, self._promises[key]) for key in sorted(self._on_node.get((backend, node), ()))]

    def on_backend(self, backend: str) -> list[tuple[TaskKey, Promise]]:
        return [(key, promise) for key, promise in self._promises.items() if promise.backend == backend]


def _charge(load: NodeLoad, resources: Resources, sign: int) -> None:
    load.promised_cpu += sign * resources.cpu
    load.promised_gpu += sign * resources.gpu
    load.promised_memory_bytes += sign * resources.memory_bytes
    load.promised_storage_bytes += sign * resources.storage_bytes
