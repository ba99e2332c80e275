"""`python -m tests.bench.rounds [nodes pending]...`: what a round of the placement costs, and what a question why, in seconds of CPU and bytes.

Nodes of 8 GPUs, four pools that are guaranteed a quarter each, as many groups waiting as said, of 60 shapes and three priorities in a fixed random
order. `full`: every guarantee is used up by the pool itself. `lent`: a third of all runs LOW, and may be stopped for those who have a right to it.
The first round finds all this new; its decision is carried out, and then 20 groups end and 20 arrive before each round of the steady state.
"""

import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime

from osmo_domain.cluster import NodeFact
from osmo_domain.pending_explain import changes_for, reason_at_length
from osmo_domain.placement import Board, Decision, GroupKey, Held, NodeLoad, PendingGroup, TaskRequest
from osmo_domain.plan import Resources
from osmo_domain.pool import GpuQuota, Platform, Pool, Priority

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SIZES = ((1_000, 1_000), (1_000, 100_000), (10_000, 1_000), (10_000, 100_000))
POOLS = 4
GIB = 1 << 30


def board(nodes: int, pending: int, *, lent: bool, rng: random.Random) -> Board:
    """Every node is taken as a whole by one task."""
    made = Board()
    platforms = {"gpu": Platform(labels={"kind": "gpu"})}
    guarantee = GpuQuota(guarantee=2 * nodes)
    pools = [Pool(f"pool-{n}", "b", default_platform="gpu", platforms=platforms, gpu=guarantee) for n in range(POOLS)]
    made.set_pools({pool.name: pool for pool in pools})
    for number in range(nodes):
        fact = NodeFact(f"n{number}", NOW, cpu=128, gpu=8, memory_bytes=2048 * GIB, labels={"kind": "gpu"})
        made.see_node("b", NodeLoad(fact))
    for number in range(nodes):
        priority = Priority.LOW if lent and number % 3 == 0 else Priority.NORMAL
        workflow, pool = f"r{number}-1", f"pool-{number % POOLS}"
        asked = Resources(cpu=8, gpu=8)
        made.hold(Held(workflow, workflow, "t", 0, "b", f"n{number}", asked, "g", pool, priority, NOW))
    for number in range(pending):
        made.line.join(_group(number, rng))
    return made


def _group(number: int, rng: random.Random) -> PendingGroup:
    asked = Resources(cpu=rng.choice((1, 2, 4, 8, 16)), gpu=rng.choice((0, 1, 2, 4, 8)))
    tasks = tuple(TaskRequest(f"t{n}", asked) for n in range(rng.choice((1, 1, 2, 8))))
    return PendingGroup(f"w{number}-1", "g", f"pool-{number % POOLS}", rng.choice(list(Priority)), number, tasks)


def carry_out(made: Board, decision: Decision) -> None:
    """Who is stopped is gone, and who has a place runs."""
    for preemption in decision.preemptions:
        end(made, (preemption.workflow_id, preemption.group))
    for key, nodes in decision.claims.items():
        made.owe(key, nodes)
    for each in decision.placements:
        group = made.line.leave((each.workflow_id, each.group))
        assert group is not None
        for task in group.tasks:
            where, running = each.nodes[task.task], (each.group, each.pool, group.priority, NOW)
            made.hold(Held(each.workflow_id, each.workflow_id, task.task, 0, "b", where, task.resources, *running))


def end(made: Board, key: GroupKey) -> None:
    for pod in [pod for pod, held in made.held.items() if held.key == key]:
        made.release(pod)


def steady(made: Board, pending: int, rng: random.Random, rounds: int = 10) -> float:
    """The middle one of these rounds."""
    took = []
    for number in range(rounds):
        for held in rng.sample(list(made.held.values()), 20):
            end(made, held.key)
        for arrival in range(20):
            made.line.join(_group(pending + 20 * number + arrival, rng))
        began = time.process_time()
        decision = made.decide(NOW, {"b"})
        took.append(time.process_time() - began)
        carry_out(made, decision)
    return statistics.median(took)


def _best(work: Callable[[], object], times: int = 3) -> float:
    took = []
    for _ in range(times):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def row(nodes: int, pending: int, *, lent: bool) -> str:
    tracemalloc.start()
    rng = random.Random(1)
    made = board(nodes, pending, lent=lent, rng=rng)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    began = time.process_time()
    decision = made.decide(NOW, {"b"})
    first = time.process_time() - began
    for _ in range(2):
        carry_out(made, decision)
        decision = made.decide(NOW, {"b"})
    carry_out(made, decision)
    again = steady(made, pending, rng)
    waiting = next(group for group in made.line.groups.values() if made.explain(group.key) is not None)
    reason = reason_at_length(made, waiting, {"b"})
    assert reason is not None
    told = _best(lambda: reason_at_length(made, waiting, {"b"}))
    changed = _best(lambda: changes_for(reason, made, waiting, NOW, {"b"}), 1)
    cells = [
        "lent" if lent else "full",
        f"{nodes:,}",
        f"{pending:,}",
        *(f"{each * 1000:,.1f} ms" for each in (first, again, told, changed)),
    ]
    return f"| {' | '.join([*cells, f'{size / (1 << 20):,.0f} MiB'])} |"


def main() -> int:
    given = [int(text) for text in sys.argv[1:]]
    sizes = list(zip(given[::2], given[1::2], strict=True)) or list(SIZES)
    print(
        "| guarantees | nodes | groups that wait | first round | a round of the steady state | a reason at length | all its changes | memory of the board |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for lent in (False, True):
        for nodes, pending in sizes:
            print(row(nodes, pending, lent=lent), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
