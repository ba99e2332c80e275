"""The replay: a heap of what happens, a board, and a round of placement wherever something has changed."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from math import ceil
from typing import Final

from osmo_domain.cluster import NodeFact
from osmo_domain.errors import Rejected
from osmo_domain.node_fit import NodeLoad
from osmo_domain.placement import Board, Decision, GroupKey, Held, PendingGroup, PodKey, TaskRequest
from osmo_domain.pool import GpuQuota, Platform, Pool
from osmo_domain.replay.report import Recorder, Report
from osmo_domain.replay.workload import GIB, MOST_NODES, ReplayNodes, ReplayPool, Work, Workload, works

BACKEND: Final = "replay"
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Happening(IntEnum):
    ENDS = 0
    LEFT = 1
    ARRIVES = 2


def replay(workload: Workload, recorded: Sequence[Work] | None = None) -> Report:
    """Everything that arrives (what was recorded, in place of the workload's own), until all of it has ended that ever can.

    Rejected where a pool is not there, or there is too much of everything.
    """
    if sum(nodes.count for nodes in workload.nodes) > MOST_NODES:
        raise Rejected("workload.too_large", f"There are more than {MOST_NODES:,} nodes.", path="nodes")
    if sum(arrival.count * arrival.tasks for arrival in workload.arrivals) > MOST_NODES:
        raise Rejected("workload.too_large", f"There are more than {MOST_NODES:,} tasks.", path="arrivals")
    gangs = works(workload) if recorded is None else recorded
    _check_names(workload, gangs)
    return _Replay(workload, gangs).run()


def _check_names(workload: Workload, gangs: Sequence[Work]) -> None:
    unknown = {gang.pool for gang in gangs} - workload.pools.keys()
    if unknown:
        raise Rejected("workload.unknown_pool", f"There is no pool {', '.join(sorted(unknown))}.", path="pools")
    for pool, platform in sorted({(gang.pool, asked.platform) for gang in gangs for asked in set(gang.asks)}):
        if platform and platform not in workload.pools[pool].platforms:
            message = f"Pool {pool} has no platform {platform}."
            raise Rejected("workload.unknown_platform", message, path=f"pools.{pool}.platforms")


class _Replay:
    """`_lives` counts how often each gang began: the end of a life that was cut short means nothing."""

    def __init__(self, workload: Workload, gangs: Sequence[Work]) -> None:
        self._workload = workload
        self._gangs = gangs
        self._board = Board()
        self._board.set_pools({name: _pool(name, each) for name, each in workload.pools.items()})
        for fact in _nodes(workload.nodes):
            self._board.see_node(BACKEND, NodeLoad(fact))
        self._recorder = Recorder(workload, self._gangs)
        self._heap: list[tuple[float, Happening, int, int]] = []
        self._lives = [0] * len(self._gangs)
        self._pods: dict[int, list[PodKey]] = {}

    def run(self) -> Report:
        self._heap = [(gang.at, Happening.ARRIVES, number, 0) for number, gang in enumerate(self._gangs)]
        heapq.heapify(self._heap)
        while self._heap:
            at = self._round_after(self._heap[0][0])
            while self._heap and self._heap[0][0] <= at:
                self._happens(*heapq.heappop(self._heap))
            self._decide(at)
        return self._recorder.report(waiting=len(self._board.line))

    def _round_after(self, at: float) -> float:
        step = self._workload.round_seconds
        return at if step <= 0 else ceil(at / step) * step

    def _happens(self, at: float, what: Happening, number: int, life: int) -> None:
        match what:
            case Happening.ARRIVES:
                self._board.line.join(self._pending(number))
                self._recorder.arrived(len(self._board.line))
            case Happening.ENDS if self._lives[number] == life:
                self._release(number)
                self._recorder.ended(number, at)
            case Happening.LEFT:
                for pod in _pods(number, life, self._gangs[number]):
                    self._board.release(pod)
            case _:
                pass

    def _release(self, number: int) -> None:
        for pod in self._pods.pop(number, ()):
            self._board.release(pod)

    def _pending(self, number: int) -> PendingGroup:
        gang = self._gangs[number]
        tasks = tuple(TaskRequest(str(task), asked) for task, asked in enumerate(gang.asks))
        return PendingGroup(str(number), "", gang.pool, gang.priority, number, tasks)

    def _decide(self, at: float) -> None:
        if not len(self._board.line):
            return
        now = BEGINNING + timedelta(seconds=at)
        decision = self._board.decide(now, (BACKEND,))
        self._recorder.decided(decision)
        self._stop(decision, at)
        for key, nodes in decision.claims.items():
            self._board.owe(key, nodes)
        for placement in decision.placements:
            self._begin(int(placement.workflow_id), placement.nodes, at, now)

    def _stop(self, decision: Decision, at: float) -> None:
        for preemption in decision.preemptions:
            number = int(preemption.workflow_id)
            for pod in self._pods.pop(number):
                self._board.leave(pod)
            heapq.heappush(self._heap, (at + self._workload.leave_seconds, Happening.LEFT, number, self._lives[number]))
            self._lives[number] += 1
            self._recorder.preempted(number, at)
            if self._workload.pools[preemption.pool].goes_again:
                self._board.line.join(self._pending(number))

    def _begin(self, number: int, nodes: dict[str, str], at: float, now: datetime) -> None:
        gang, life = self._gangs[number], self._lives[number]
        group = self._board.line.leave(_key(number))
        assert group is not None
        pods = _pods(number, life, gang)
        for task, pod in zip(group.tasks, pods, strict=True):
            self._board.hold(
                Held(
                    *(pod[0], pod[0], pod[1], pod[2], BACKEND, nodes[task.task], task.resources),
                    *("", gang.pool, gang.priority, now),
                )
            )
        self._pods[number] = pods
        self._recorder.began(number, at)
        heapq.heappush(self._heap, (at + gang.seconds, Happening.ENDS, number, life))


def _key(number: int) -> GroupKey:
    return str(number), ""


def _pods(number: int, life: int, gang: Work) -> list[PodKey]:
    return [(str(number), str(task), life) for task in range(len(gang.asks))]


def _pool(name: str, wanted: ReplayPool) -> Pool:
    return Pool(
        name=name,
        backend=BACKEND,
        default_platform=next(iter(wanted.platforms), None),
        platforms={each: Platform(labels=labels) for each, labels in wanted.platforms.items()},
        gpu=GpuQuota(wanted.guarantee, wanted.maximum, wanted.weight),
    )


def _nodes(wanted: tuple[ReplayNodes, ...]) -> Iterator[NodeFact]:
    for kind, each in enumerate(wanted):
        for number in range(each.count):
            yield NodeFact(
                name=f"node-{kind}-{number:05}",
                at=BEGINNING,
                cpu=each.cpus,
                gpu=each.gpus,
                memory_bytes=int(each.memory_gib * GIB),
                storage_bytes=int(each.storage_gib * GIB),
                labels=each.labels,
            )
