"""Nodes, groups and running work in one line each, for tests of placement."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from libs.domain.tests.life import START

from osmo_domain.cluster import NodeFact
from osmo_domain.placement import Decision, Held, NodeLoad, PendingGroup, TaskRequest, decide_placement
from osmo_domain.plan import Resources
from osmo_domain.pool import GpuQuota, Pool, Priority

POOL = Pool(name="p", backend="b")


def pool(name: str, guarantee: int = -1, maximum: int = -1, weight: int = 1, **fields: Any) -> Pool:
    return Pool(name=name, backend="b", gpu=GpuQuota(guarantee, maximum, weight), **fields)


def node(name: str, gpu: int = 8, **fields: Any) -> NodeFact:
    fields = {"cpu": 64, "memory_bytes": 1 << 38, "storage_bytes": 1 << 40} | fields
    return NodeFact(name=name, at=START, gpu=gpu, **fields)


def loads(*facts: NodeFact, running: Iterable[Held] = (), **promised: int) -> dict[str, dict[str, NodeLoad]]:
    found = {"b": {fact.name: NodeLoad(fact, **promised) for fact in facts}}
    for held in running:
        if held.node in found["b"]:
            found["b"][held.node].promise(held.resources)
            if held.leaving:
                found["b"][held.node].leave(held.resources)
    return found


def group(name: str, *asks: Resources, order: int = 1, **fields: Any) -> PendingGroup:
    tasks = tuple(TaskRequest(f"{name}-{number}", asked) for number, asked in enumerate(asks))
    fields = {"pool": "p", "priority": Priority.NORMAL} | fields
    return PendingGroup(workflow_id=name, group=name, order=order, tasks=tasks, **fields)


def gpus(count: int, **fields: Any) -> Resources:
    return Resources(gpu=count, **fields)


def runs(
    name: str, *places: tuple[str, int], priority: Priority = Priority.NORMAL, pool: str = "p", minutes: float = 10
) -> list[Held]:
    """A group that has held these (node, GPUs) for so long."""
    since: datetime = START - timedelta(minutes=minutes)
    return [
        Held(name, name, f"{name}-{number}", 0, "b", where, gpus(count), name, pool, priority, since)
        for number, (where, count) in enumerate(places)
    ]


def decide(*queue: PendingGroup, nodes: Any, pool: Pool = POOL) -> Decision:
    return decide_placement(queue, {"p": pool}, nodes, START)


def placed(decision: Decision) -> dict[str, dict[str, str]]:
    return {placement.group: placement.nodes for placement in decision.placements}


def waits(decision: Decision) -> dict[str, str]:
    return {waiting.group: waiting.code for waiting in decision.waiting}


def stopped(decision: Decision) -> set[str]:
    return {preemption.group for preemption in decision.preemptions}
