"""What simulated users submit, and what must become of it: an oracle that knows nothing of the engine."""

import json
import random
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from osmo_domain.pool import Priority


@dataclass(frozen=True)
class SimulatedTask:
    name: str
    upstreams: tuple[str, ...]
    seconds: float
    exit_code: int
    gpus: int
    image: str = "busybox"
    reschedules: bool = False


@dataclass
class SimulatedWorkflow:
    """`expected` maps each task to the status that it ends with when nobody cancels."""

    name: str
    tasks: tuple[SimulatedTask, ...]
    priority: Priority
    key: str
    pool: str = ""
    workflow_id: str = ""
    cancel_asked: bool = False
    restart_of: str = ""
    refused: str = ""
    expected: dict[str, str] = field(default_factory=dict)

    def expected_with(self, preempted: Set[str]) -> dict[str, str]:
        """What becomes of each task where these were stopped for others."""
        return _expected(self.tasks, preempted) if preempted else self.expected

    def yaml(self) -> str:
        """The spec as a user would write it; JSON is YAML."""
        resources: dict[str, dict[str, object]] = {"default": {"cpu": 1, "memory": "1Gi", "storage": "1Gi"}}
        for task in self.tasks:
            resources[f"gpu{task.gpus}"] = {"cpu": 1, "gpu": task.gpus, "memory": "1Gi", "storage": "1Gi"}
        tasks = [self._task(task) for task in self.tasks]
        return "workflow: " + json.dumps({"name": self.name, "resources": resources, "tasks": tasks})

    def _task(self, task: SimulatedTask) -> dict[str, object]:
        body: dict[str, object] = {
            "name": task.name,
            "image": task.image,
            "command": ["train"],
            "resource": f"gpu{task.gpus}",
            "environment": {"SIM_SECONDS": str(task.seconds), "SIM_EXIT_CODE": str(task.exit_code)},
            "inputs": [{"task": upstream} for upstream in task.upstreams],
        }
        if task.reschedules:
            body["exitActions"] = {"RESCHEDULE": "7"}
        return body


def status_of(expected: Mapping[str, str]) -> str:
    """What becomes of a workflow whose tasks end so."""
    ended = set(expected.values()) - {"FAILED_UPSTREAM"}
    if ended == {"COMPLETED"}:
        return "COMPLETED"
    return "FAILED_PREEMPTED" if ended - {"COMPLETED"} == {"FAILED_PREEMPTED"} else "FAILED"


def random_workflow(rng: random.Random, name: str, key: str, pools: Sequence[str]) -> SimulatedWorkflow:
    """One to six tasks, edges only backwards, most of them succeeding."""
    tasks: list[SimulatedTask] = []
    for index in range(rng.choice((1, 1, 1, 2, 3, 4, 6))):
        earlier = [task.name for task in tasks]
        upstreams = tuple(sorted(rng.sample(earlier, k=min(len(earlier), rng.choice((0, 1, 1, 2))))))
        missing = rng.random() < 0.03
        tasks.append(
            SimulatedTask(
                name=f"t{index}",
                upstreams=upstreams,
                seconds=round(rng.choice((0.0, 0.5, 3.0, 20.0)) * rng.random(), 3),
                exit_code=rng.choice((0, 0, 0, 0, 0, 0, 1, 7)),
                gpus=rng.choice((0, 1, 1, 2, 4)),
                image="registry/missing:1" if missing else "busybox",
                reschedules=rng.random() < 0.2,
            )
        )
    priority, pool = rng.choice(tuple(Priority)), rng.choice(tuple(pools))
    workflow = SimulatedWorkflow(name=name, tasks=tuple(tasks), priority=priority, key=key, pool=pool)
    workflow.expected = _expected(workflow.tasks, frozenset())
    return workflow


def _expected(tasks: tuple[SimulatedTask, ...], preempted: Set[str]) -> dict[str, str]:
    ends: dict[str, str] = {}
    for task in tasks:
        if any(ends[upstream] != "COMPLETED" for upstream in task.upstreams):
            ends[task.name] = "FAILED_UPSTREAM"
        elif task.name in preempted:
            ends[task.name] = "FAILED_PREEMPTED"
        elif "missing" in task.image:
            ends[task.name] = "FAILED_IMAGE_PULL"
        else:
            ends[task.name] = "COMPLETED" if task.exit_code == 0 else "FAILED"
    return ends
