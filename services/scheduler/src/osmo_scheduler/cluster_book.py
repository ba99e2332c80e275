"""What the clusters of this shard have, and what of it is promised to pods."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from osmo_domain.cluster import BackendRemoved, ClusterFact, NodeFact, NodeSeen
from osmo_domain.clusters import Clusters
from osmo_domain.placement import Board, Held, NodeLoad, PodKey
from osmo_domain.workflow.state import Attempt, Workflow
from osmo_domain.workflow.status import PLACED, ExitCode
from osmo_eventlog.ports import Seq

POD_ENDED = frozenset({"exit", "oom", "evicted", "start_error", "backend_error"})
"""Reasons of ends that began with the pod's own end. After any other end the pod may still be there for a while."""


class Promise(Held):
    """`created` is the position of the pod's create command, 0 while that is not known."""

    created: Seq = 0


class ClusterBook:
    """A place is promised from the placement until the pod is known to be over: then it is not given to two at once.

    `changed` says that room appeared since it was last cleared. Whatever is promised stands on the board, too.
    """

    def __init__(self, board: Board, clusters: Clusters | None = None) -> None:
        self._board = board
        self.clusters = clusters or Clusters()
        self.changed = True
        self.lost_nodes: dict[tuple[str, str], None] = {}
        """Nodes that went away and have not come back: what they ran is lost."""
        self._loads: dict[str, dict[str, NodeLoad]] = {}
        self._promises: dict[PodKey, Promise] = {}
        self._latest: dict[tuple[str, str], PodKey] = {}
        self._on_node: dict[tuple[str, str], dict[PodKey, None]] = {}
        for backend, cluster in self.clusters.by_backend.items():
            for node in cluster.nodes.values():
                self._see_node(backend, node)

    def see(self, backend: str, fact: ClusterFact, stored_at: datetime | None = None) -> None:
        if isinstance(fact, BackendRemoved):
            self._lose_backend(backend)
        if self.clusters.see(backend, fact, stored_at) and isinstance(fact, NodeSeen):
            self._see_node(backend, fact.node)

    def _lose_backend(self, backend: str) -> None:
        """As if each of its nodes had gone away."""
        cluster = self.clusters.by_backend.get(backend)
        for node in list(cluster.nodes.values()) if cluster is not None else ():
            self.see(backend, NodeSeen(msgspec.structs.replace(node, gone=True)))

    def _see_node(self, backend: str, node: NodeFact) -> None:
        loads = self._loads.setdefault(backend, {})
        self.changed = True
        if node.gone:
            loads.pop(node.name, None)
            self._board.lose_node(backend, node.name)
            self.lost_nodes[backend, node.name] = None
            return
        self.lost_nodes.pop((backend, node.name), None)
        load = loads.get(node.name)
        if load is not None:
            load.fact = node
        else:
            loads[node.name] = load = NodeLoad(node)
            for pod in self._on_node.get((backend, node.name), ()):
                load.promise(self._promises[pod].resources)
                if self._promises[pod].leaving:
                    load.leave(self._promises[pod].resources)
        self._board.see_node(backend, load)

    def nodes(self, now: datetime) -> Mapping[str, Mapping[str, NodeLoad]]:
        """The loads of every backend whose agent is there."""
        return {name: self._loads[name] for name in self.online(now)}

    def online(self, now: datetime) -> list[str]:
        """Backends with nodes whose agent is there."""
        clusters = self.clusters.by_backend
        return [name for name in self._loads if name in clusters and clusters[name].online(now)]

    def sync(self, state: Workflow, tasks: Iterable[str]) -> None:
        """Promise the places of these tasks, or let them go, as the state says."""
        for task in tasks:
            self._sync_task(state, task)

    def _sync_task(self, state: Workflow, task: str) -> None:
        attempt, key = state.tasks[task].attempt, (state.workflow_id, task)
        held = attempt.status in PLACED and bool(attempt.node)
        pod, known = (state.uuid, task, attempt.retry_id), self._latest.get(key)
        if known is not None and held and known == pod and self._promises[pod].node == attempt.node:
            return
        if known is not None:
            self._let_go(state, task, known)
        if held:
            self._latest[key] = pod
            self._promise(_promise_of(state, task, attempt))

    def _let_go(self, state: Workflow, task: str, pod: PodKey) -> None:
        """The place of a pod that was commanded stays promised until the pod is over; one that came to nothing is free at once."""
        del self._latest[state.workflow_id, task]
        attempt = _attempt(state, task, pod[2])
        if attempt is not None and attempt.scheduling_at is not None and pod in self._promises:
            self._board.leave(pod)
            self.changed = True
        else:
            self.over(pod)

    def recall(self, state: Workflow) -> None:
        """For a workflow just loaded: pods of attempts that ended before their pods did may still be there. The next inventory tells."""
        for task in state.tasks.values():
            attempt = task.attempt
            if attempt.ended_at and attempt.scheduling_at and attempt.reason not in POD_ENDED:
                self.restore(_promise_of(state, task.name, attempt, leaving=True))
            if task.earlier and task.earlier[-1].exit_code == ExitCode.PREEMPTED:
                self.restore(_promise_of(state, task.name, task.earlier[-1], leaving=True))

    def restore(self, promise: Promise) -> None:
        """A promise to a pod that is leaving, as a snapshot or the log knew it."""
        if promise.pod not in self._promises:
            self._promise(promise)

    def forget(self, state: Workflow) -> None:
        """The workflow is over; its pods may not be yet."""
        for task in state.tasks:
            pod = self._latest.get((state.workflow_id, task))
            if pod is not None:
                self._let_go(state, task, pod)

    def over(self, pod: PodKey) -> None:
        """This pod has ended or is gone: it holds nothing any more."""
        promise = self._promises.pop(pod, None)
        if promise is None:
            return
        if self._latest.get((promise.workflow_id, promise.task)) == pod:
            del self._latest[promise.workflow_id, promise.task]
        place = (promise.backend, promise.node)
        del self._on_node[place][pod]
        if not self._on_node[place]:
            del self._on_node[place]
        self._board.release(pod)
        self.changed = True

    def _promise(self, promise: Promise) -> None:
        self._promises[promise.pod] = promise
        self._on_node.setdefault((promise.backend, promise.node), {})[promise.pod] = None
        self._board.hold(promise)

    def created(self, workflow_uuid: str, retry_ids: Mapping[str, int], seq: Seq) -> None:
        """The create command of these attempts stands at this position."""
        for task, retry_id in retry_ids.items():
            promise = self._promises.get((workflow_uuid, task, retry_id))
            if promise is not None:
                promise.created = seq

    def on_node(self, backend: str, node: str) -> list[Promise]:
        """Promises to live attempts on this node."""
        pods = self._on_node.get((backend, node), {})
        return [promise for pod in pods if not (promise := self._promises[pod]).leaving]

    def is_live(self, pod: PodKey) -> bool:
        """Its place is promised to an attempt that has not ended."""
        promise = self._promises.get(pod)
        return promise is not None and not promise.leaving

    def live(self, backend: str) -> Iterator[Promise]:
        return (promise for promise in self._promises.values() if promise.backend == backend and not promise.leaving)

    def leaving(self, backend: str | None = None) -> list[Promise]:
        return [
            promise for promise in self._promises.values() if promise.leaving and backend in (None, promise.backend)
        ]


def _promise_of(state: Workflow, task: str, attempt: Attempt, *, leaving: bool = False) -> Promise:
    return Promise(
        workflow_id=state.workflow_id,
        workflow_uuid=state.uuid,
        task=task,
        retry_id=attempt.retry_id,
        backend=state.plan.backend if state.plan else "",
        node=attempt.node,
        resources=state.task_plan(task).resources,
        group=state.tasks[task].group,
        pool=state.pool,
        priority=state.priority,
        since=attempt.scheduling_at,
        leaving=leaving,
    )


def _attempt(state: Workflow, task: str, retry_id: int) -> Attempt | None:
    known = state.tasks[task]
    if known.attempt.retry_id == retry_id:
        return known.attempt
    return known.earlier[retry_id] if retry_id < len(known.earlier) else None
