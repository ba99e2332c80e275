"""`python -m tests.bench.bench_placement [--quick]`: what placement costs, beside what others have published.

The clusters are full of mixed work (1 to 32 nodes' worth of GPUs per gang, three priorities, eight pools that share all nodes) before anything is measured.
Seconds are seconds of CPU of this one process: a round of placement waits for nothing.
"""

import random
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from tests.bench.bench import Bench
from tests.bench.table import Row, duration, markdown, rate, seconds

from osmo_cli.commands.sim import read_workload
from osmo_domain.cluster import NodeFact
from osmo_domain.placement import Board, Decision, Held, NodeLoad, PendingGroup, TaskRequest
from osmo_domain.plan import Resources
from osmo_domain.pool import GpuQuota, Pool, Priority
from osmo_domain.replay.run import replay

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
BACKEND = "b"
GIB = 1 << 30
POOLS = 8
SIZES = ((1_000, 1_000), (1_000, 100_000), (10_000, 1_000), (10_000, 100_000))
DAY = Path(__file__).parents[2] / "examples" / "workloads" / "day.yaml"

ROUND_BAR_S, MEMORY_BAR_MIB, DAY_BAR_S = 0.1, 1_024, 60
KUEUE = "Kueue 43 admissions/s; kube-scheduler 792-909 pods/s"
KAI = "KAI 2-4 minutes per cycle at 1,000 nodes"

SHAPES = [
    (gpus, cpus, memory, tasks)
    for gpus, tasks in ((1, 1), (2, 1), (4, 1), (8, 1), (0, 1), (8, 2), (8, 4), (8, 8), (8, 32))
    for cpus in (4, 8, 14)
    for memory in (16, 64, 100)
]


class Cluster:
    """A board, and a scheduler's hands: what is decided becomes true at once."""

    def __init__(self, nodes: int, pending: int) -> None:
        self.board = Board()
        self.now = BEGINNING
        self._rng = random.Random(1)
        self._count = 0
        self._groups: dict[str, list[Held]] = {}
        quota = GpuQuota(guarantee=nodes * 8 // POOLS, maximum=-1, weight=1)
        self.board.set_pools({f"p{n}": Pool(name=f"p{n}", backend=BACKEND, gpu=quota) for n in range(POOLS)})
        for number in range(nodes):
            self.board.see_node(BACKEND, NodeLoad(_node(number)))
        self.arrive(max(pending, 4 * nodes))
        self.first = self.round()
        while len(self.board.line) > pending:
            self.board.line.leave(next(iter(self.board.line.groups)))
        self.arrive(pending - len(self.board.line))
        self.round()

    def arrive(self, count: int) -> None:
        for _ in range(count):
            self._count += 1
            gpus, cpus, memory, tasks = SHAPES[min(int(self._rng.expovariate(1 / 20)), len(SHAPES) - 1)]
            asked = Resources(cpu=cpus * max(gpus, 1), gpu=gpus, memory_bytes=memory * max(gpus, 1) * GIB)
            requests = tuple(TaskRequest(f"t{n}", asked) for n in range(tasks))
            priority = self._rng.choice((Priority.HIGH, Priority.NORMAL, Priority.NORMAL, Priority.LOW, Priority.LOW))
            pool = f"p{self._rng.randrange(POOLS)}"
            self.board.line.join(PendingGroup(f"w{self._count}", "g", pool, priority, self._count, requests))

    def end(self, count: int) -> None:
        """Some groups end, wherever they run."""
        for name in self._rng.sample(sorted(self._groups), min(count, len(self._groups))):
            for held in self._groups.pop(name):
                self.board.release(held.pod)

    def round(self) -> float:
        """Decide and carry out; the seconds that the decision took."""
        self.now += timedelta(seconds=1)
        began = time.process_time()
        decision = self.board.decide(self.now, {BACKEND})
        took = time.process_time() - began
        self.carry_out(decision)
        self.placed = len(decision.placements)
        return took

    def carry_out(self, decision: Decision) -> None:
        for preemption in decision.preemptions:
            for held in self._groups.pop(preemption.workflow_id):
                self.board.release(held.pod)
        for placement in decision.placements:
            group = self.board.line.leave((placement.workflow_id, placement.group))
            assert group is not None
            self._groups[placement.workflow_id] = [
                _held(group, task, placement.nodes, self.now) for task in group.tasks
            ]
            for held in self._groups[placement.workflow_id]:
                self.board.hold(held)

    def free(self, nodes: int) -> None:
        """All that runs on the first nodes ends, and the whole groups with it."""
        wanted = {f"n{number:05}" for number in range(nodes)}
        hit = [name for name, held in self._groups.items() if any(each.node in wanted for each in held)]
        for name in hit:
            for held in self._groups.pop(name):
                self.board.release(held.pod)


def _node(number: int) -> NodeFact:
    return NodeFact(f"n{number:05}", BEGINNING, cpu=128, gpu=8, memory_bytes=1_024 * GIB, storage_bytes=4_096 * GIB)


def _held(group: PendingGroup, task: TaskRequest, nodes: dict[str, str], since: datetime) -> Held:
    where = nodes[task.task]
    return Held(
        *(group.workflow_id, group.workflow_id, task.task, 0, BACKEND, where, task.resources),
        *(group.group, group.pool, group.priority, since),
    )


def rounds(nodes: int, pending: int, times: int) -> Iterator[Row]:
    """Rounds in a steady state: 20 groups end and 20 arrive between one and the next."""
    cluster = Cluster(nodes, pending)
    what = f"{nodes:,} nodes, {pending:,} groups waiting"
    took = []
    for _ in range(times):
        cluster.end(20)
        cluster.arrive(20)
        took.append(cluster.round())
    middle, most = statistics.median(took), max(took)
    ours = f"{duration(middle)} (longest {duration(most)})"
    yield seconds(f"placement, a round: {what}", middle, ROUND_BAR_S, ours=ours, limit=KAI)
    if (nodes, pending) == SIZES[-1]:
        yield seconds(f"placement, the first round on empty nodes: {what}", cluster.first)
        yield _gang(cluster)
        mib = psutil.Process().memory_info().rss / (1 << 20)
        ours = f"{mib:,.0f} MiB"
        yield Row("placement, memory of the whole process then", ours, mib, MEMORY_BAR_MIB, "less", "under 1,024 MiB")


def _gang(cluster: Cluster) -> Row:
    """16 nodes become free, a HIGH gang of 16 whole nodes is first in line: its placement is decided, with all others of that round, and on the board."""
    asked = Resources(cpu=64, gpu=8, memory_bytes=512 * GIB)
    tasks = tuple(TaskRequest(f"t{n}", asked) for n in range(16))
    gang = PendingGroup("gang", "g", "p0", Priority.HIGH, 0, tasks)
    board = cluster.board
    enough = GpuQuota(guarantee=board.usage.firm["p0"] + 8 * len(tasks))
    board.set_pools(board.floor.pools | {"p0": Pool(name="p0", backend=BACKEND, gpu=enough)})
    board.decide(cluster.now, {BACKEND})
    began = time.process_time()
    cluster.free(16)
    board.line.join(gang)
    cluster.round()
    took = time.process_time() - began
    assert gang.key not in cluster.board.line.groups, "the gang was placed"
    return seconds("placement, nodes freed to a gang of 16 nodes placed (10,000 nodes, 100,000 waiting)", took)


def stream(decisions: int) -> Row:
    """1,000 nodes, 10,000 waiting: as many groups end in each round as were placed in the last; placements per second of CPU, all work included."""
    cluster = Cluster(1_000, 10_000)
    placed, began = 0, time.process_time()
    while placed < decisions:
        cluster.end(100)
        cluster.arrive(100)
        cluster.round()
        placed += cluster.placed
    per_second = placed / (time.process_time() - began)
    return rate(
        "placement, gangs placed on a stream of arrivals and ends (1,000 nodes)", per_second, 1_000, limit=KUEUE
    )


def day() -> Row:
    workload = read_workload(DAY)
    began = time.process_time()
    report = replay(workload)
    took = time.process_time() - began
    tasks = sum(pool.tasks for pool in report.pools)
    ours = f"{duration(took)} ({report.placements:,} placements, {report.preemptions:,} preemptions)"
    return seconds(f"placement, a simulated day of {tasks:,} tasks on 4,000 GPUs", took, DAY_BAR_S, ours=ours)


def measure(*, quick: bool) -> list[Row]:
    rows = [row for size in (SIZES[:1] if quick else SIZES) for row in rounds(*size, times=10 if quick else 30)]
    return [*rows, stream(500 if quick else 5_000), *([] if quick else [day()])]


async def placement(bench: Bench) -> list[Row]:
    """For the table of all benchmarks."""
    return measure(quick=bench.quick)


def main() -> int:
    print(markdown(measure(quick="--quick" in sys.argv[1:])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
