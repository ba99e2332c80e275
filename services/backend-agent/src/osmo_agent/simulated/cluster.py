"""A cluster without machines: nodes, pods and a heap of what happens when. It lives apart from the agent, so that agents may come and go."""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from osmo_agent.ports import GroupRefusedError
from osmo_agent.simulated.nodes import node_fact
from osmo_agent.simulated.pod import AttemptKey, Pod
from osmo_agent.simulated.script import Script, read_script, refuses
from osmo_domain.cluster import NodeFact, PodEvent, PodFact, PodPhase
from osmo_domain.command import CreateGroup
from osmo_domain.ids import pod_name
from osmo_domain.plan import TaskPlan

Seen = PodFact | PodEvent

DELETED_KEPT = 20_000
"""So many attempts that were deleted are remembered, as to never make their pods again."""

TICK_S = 2e-6
"""Clocks count microseconds and dues are floats: what is due within this is due."""


class Watch:
    """What one watcher has not taken yet."""

    def __init__(self, present: Iterable[Seen]) -> None:
        self._seen = list(present)

    def see(self, seen: Seen) -> None:
        self._seen.append(seen)

    def take(self) -> list[Seen]:
        """What happened since the last call, in order."""
        seen, self._seen = self._seen, []
        return seen


class SimulatedCluster:
    """Changed by calls only, each of which is told the time: no task, no timer, no clock inside.

    `observe` hears of every pod that is made (a test's chance to count); `changed` is called when something may be due earlier, `nodes_changed` when a node came or went.
    """

    def __init__(
        self,
        nodes: Mapping[str, int],
        *,
        uid: str = "simulated",
        script: Callable[[TaskPlan, int], Script] = read_script,
        observe: Callable[[Pod], None] | None = None,
    ) -> None:
        self.uid = uid
        self.changed: Callable[[], None] = _nobody
        self.nodes_changed: Callable[[], None] = _nobody
        self._nodes = dict(nodes)
        self._script = script
        self._observe = observe
        self._pods: dict[AttemptKey, Pod] = {}
        self._heap: list[tuple[float, int, AttemptKey, int]] = []
        self._pushed = 0
        self._deleted: OrderedDict[AttemptKey, None] = OrderedDict()
        self._watch: Watch | None = None

    def pods(self) -> list[Pod]:
        return list(self._pods.values())

    def pod_facts(self) -> list[PodFact]:
        return [pod.fact() for pod in self._pods.values()]

    def node_facts(self, now: datetime) -> list[NodeFact]:
        return [node_fact(name, gpus, now) for name, gpus in self._nodes.items()]

    def next_due(self) -> datetime | None:
        """When `move_on` has something to do next; may be early, never late."""
        return datetime.fromtimestamp(self._heap[0][0], UTC) if self._heap else None

    def watch(self) -> Watch:
        """What happens from now on, after the present state of every pod. The newest watch is the only one that goes on."""
        self._watch = Watch(self.pod_facts())
        return self._watch

    def unwatch(self, watch: Watch) -> None:
        if self._watch is watch:
            self._watch = None

    def apply(self, command: CreateGroup, now: datetime) -> list[Pod]:
        """Make the pods that are not there yet and were never deleted, and return those."""
        assert command.group is not None
        tasks = [task for task in command.group.tasks if task.name in command.retry_ids]
        if any(refuses(task) for task in tasks):
            raise GroupRefusedError("the simulated cluster refuses this group, as SIM_REFUSE asks for")
        made = [self._make(command, task, now) for task in tasks if self._is_new(self._key(command, task))]
        if made:
            self.changed()
        return made

    def delete(self, keys: Sequence[AttemptKey], now: datetime) -> None:
        """Remove pods, where there are any. One that had not ended is seen as GONE."""
        self._remember_deleted(keys)
        removed = [key for key in keys if key in self._pods]
        for key in removed:
            pod = self._pods.pop(key)
            if not pod.ended:
                pod.phase, pod.since = PodPhase.GONE, now.timestamp()
                self._see(pod.fact())
        if removed:
            self.changed()

    def restart(self, wanted: Mapping[AttemptKey, int], now: datetime) -> list[Pod]:
        """The command of these pods begins anew, unless it did so as often already; pods that do not run are left alone. Returns which did."""
        self.move_on(now)
        pods = [(pod, number) for key, number in wanted.items() if (pod := self._pods.get(key)) is not None]
        restarted = [pod for pod, number in pods if pod.phase is PodPhase.RUNNING and pod.restarts < number]
        for pod in restarted:
            pod.restarts = wanted[pod.key]
            pod.turn += 1
            pod.due = now.timestamp() + pod.run_s
            self._push(pod)
            self._see(_event(pod, "Restarted", "the command begins anew", now))
        if restarted:
            self.changed()
        return restarted

    def move_on(self, now: datetime) -> None:
        """Everything that is due by now happens, each at its own time."""
        until = now.timestamp() + TICK_S
        while self._heap and self._heap[0][0] <= until:
            due, _, key, turn = heapq.heappop(self._heap)
            pod = self._pods.get(key)
            if pod is None or pod.turn != turn:
                continue
            pod.move_on(due)
            self._see(pod.fact())
            if pod.due is not None:
                self._push(pod)

    def lose_node(self, name: str, now: datetime) -> None:
        """The node is gone, and every pod on it fails."""
        del self._nodes[name]
        for pod in self._pods.values():
            if pod.node == name and not pod.ended:
                pod.turn += 1
                pod.phase, pod.since, pod.due = PodPhase.FAILED, now.timestamp(), None
                pod.reason, pod.message = "NodeLost", f"node {name} is gone"
                self._see(pod.fact())
        self.changed()
        self.nodes_changed()

    def add_node(self, name: str, gpus: int) -> None:
        self._nodes[name] = gpus
        self.nodes_changed()

    def adopt(self, pods: Iterable[Pod], deleted: Iterable[AttemptKey] = ()) -> None:
        """Take up pods of an earlier life, with the times that they had, and what was deleted in it."""
        self._remember_deleted(deleted)
        for pod in pods:
            self._pods[pod.key] = pod
            self._push(pod)

    def _is_new(self, key: AttemptKey) -> bool:
        return key not in self._pods and key not in self._deleted

    def _remember_deleted(self, keys: Iterable[AttemptKey]) -> None:
        for key in keys:
            self._deleted[key] = None
            if len(self._deleted) > DELETED_KEPT:
                self._deleted.popitem(last=False)

    @staticmethod
    def _key(command: CreateGroup, task: TaskPlan) -> AttemptKey:
        return (command.workflow_uuid, task.name, command.retry_ids[task.name])

    def _make(self, command: CreateGroup, task: TaskPlan, now: datetime) -> Pod:
        retry_id = command.retry_ids[task.name]
        script, since = self._script(task, retry_id), now.timestamp()
        node = command.nodes.get(task.name, "")
        pod = Pod(
            workflow_id=command.workflow_id,
            workflow_uuid=command.workflow_uuid,
            group=command.group_name,
            task=task.name,
            retry_id=retry_id,
            pod_name=pod_name(command.workflow_uuid, task.name),
            node=node,
            phase=PodPhase.PENDING,
            since=since,
            run_s=script.run_s,
            exit_code=script.exit_code,
            evicted=script.evicted,
            out_of_memory=script.out_of_memory,
            image_missing=script.image_missing,
            mistake=script.mistake,
        )
        self._pods[pod.key] = pod
        if self._observe is not None:
            self._observe(pod)
        self._see(pod.fact())
        self._start(pod, script.start_s, now)
        return pod

    def _start(self, pod: Pod, start_s: float, now: datetime) -> None:
        if pod.node not in self._nodes:
            message = f"0/{len(self._nodes)} nodes are available: none is called {pod.node!r}"
            self._see(_event(pod, "FailedScheduling", message, now))
            return
        pod.move_on(pod.since)
        self._see(pod.fact())
        if pod.image_missing and not pod.mistake:
            self._see(_event(pod, "Failed", "Failed to pull image: the simulated registry has no such image", now))
            return
        pod.due = pod.since + start_s
        self._push(pod)

    def _push(self, pod: Pod) -> None:
        if pod.due is not None:
            self._pushed += 1
            heapq.heappush(self._heap, (pod.due, self._pushed, pod.key, pod.turn))

    def _see(self, seen: Seen) -> None:
        if self._watch is not None:
            self._watch.see(seen)


def _event(pod: Pod, reason: str, message: str, now: datetime) -> PodEvent:
    return PodEvent(pod.workflow_id, pod.task, pod.retry_id, reason, message, now)


def _nobody() -> None:
    """Nobody waits for this cluster."""
