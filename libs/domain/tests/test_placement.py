"""First come, first served over real capacities: whole gangs, tight fits, and a reason for everybody who waits."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from libs.domain.tests.life import START

from osmo_domain.cluster import NodeFact, Taint
from osmo_domain.placement import Decision, NodeLoad, PendingGroup, TaskRequest, decide_placement
from osmo_domain.plan import Resources
from osmo_domain.pool import Platform, Pool, Priority

POOL = Pool(name="p", backend="b")


def node(name: str, gpu: int = 8, **fields: Any) -> NodeFact:
    fields = {"cpu": 64, "memory_bytes": 1 << 38, "storage_bytes": 1 << 40} | fields
    return NodeFact(name=name, at=START, gpu=gpu, **fields)


def loads(*facts: NodeFact, **promised: int) -> dict[str, dict[str, NodeLoad]]:
    return {"b": {fact.name: NodeLoad(fact, **promised) for fact in facts}}


def group(name: str, *asks: Resources, order: int = 1, **fields: Any) -> PendingGroup:
    tasks = tuple(TaskRequest(f"{name}-{number}", asked) for number, asked in enumerate(asks))
    fields = {"pool": "p", "priority": Priority.NORMAL} | fields
    return PendingGroup(workflow_id=name, group=name, order=order, tasks=tasks, **fields)


def gpus(count: int, **fields: Any) -> Resources:
    return Resources(gpu=count, **fields)


def decide(*queue: PendingGroup, nodes: Any, pool: Pool = POOL) -> Decision:
    return decide_placement(queue, {"p": pool}, nodes, START)


def placed(decision: Decision) -> dict[str, dict[str, str]]:
    return {placement.group: placement.nodes for placement in decision.placements}


def waits(decision: Decision) -> dict[str, str]:
    return {waiting.group: waiting.code for waiting in decision.waiting}


def test_high_before_normal_before_low_then_first_come() -> None:
    queue = [
        group("low", gpus(8), order=1, priority=Priority.LOW),
        group("late", gpus(8), order=3),
        group("early", gpus(8), order=2),
        group("high", gpus(8), order=4, priority=Priority.HIGH),
    ]
    decision = decide(*queue, nodes=loads(node("n1"), node("n2")))
    assert list(placed(decision)) == ["high", "early"]
    assert waits(decision) == {"late": "capacity", "low": "capacity"}


def test_a_gang_that_no_empty_floor_could_take_holds_nobody_back() -> None:
    decision = decide(
        group("gang", gpus(8), gpus(8), gpus(8), order=1),
        group("small", gpus(8), order=2),
        nodes=loads(node("n1"), node("n2")),
    )
    assert waits(decision) == {"gang": "node_fit"}
    assert "all of its tasks at once" in decision.waiting[0].message
    assert list(placed(decision)) == ["small"]


def test_the_tightest_fit_keeps_large_gaps_whole() -> None:
    nodes = loads(node("empty"), node("half"))
    nodes["b"]["half"].promised_gpu = 4
    decision = decide(group("a", gpus(2), order=1), group("b", gpus(8), order=2), nodes=nodes)
    assert placed(decision) == {"a": {"a-0": "half"}, "b": {"b-0": "empty"}}


def test_every_resource_counts_and_what_others_use_is_subtracted() -> None:
    fact = node("n1", cpu=8, used_cpu=4.5, used_memory_bytes=1 << 37)
    assert waits(decide(group("a", Resources(cpu=4)), nodes=loads(fact))) == {"a": "capacity"}
    assert placed(decide(group("a", Resources(cpu=3)), nodes=loads(fact)))
    assert waits(decide(group("a", Resources(memory_bytes=(1 << 37) + 1)), nodes=loads(fact))) == {"a": "capacity"}
    assert waits(decide(group("a", Resources(storage_bytes=(1 << 40) + 1)), nodes=loads(fact))) == {"a": "node_fit"}


def test_labels_taints_and_exclusions_decide_where_work_may_go() -> None:
    pool = Pool(name="p", backend="b", default_platform="h", platforms={"h": Platform(labels={"kind": "h"})})
    good = node("good", labels={"kind": "h"})
    tainted = node("tainted", labels={"kind": "h"}, taints=(Taint("keep", effect="NoSchedule"),))
    other = node("other", labels={"kind": "l"})
    everything = loads(tainted, other, good)
    assert placed(decide(group("a", gpus(1)), nodes=everything, pool=pool)) == {"a": {"a-0": "good"}}
    excluded = group("a", gpus(1, nodes_excluded=("good",)))
    assert waits(decide(excluded, nodes=everything, pool=pool)) == {"a": "node_fit"}
    assert waits(decide(group("a", gpus(1, platform="none")), nodes=everything, pool=pool)) == {"a": "node_fit"}


def test_reasons_for_pools_backends_and_pauses() -> None:
    later = START + timedelta(seconds=5)
    decision = decide_placement(
        [group("a", gpus(1), pool="nowhere"), group("b", gpus(1), not_before=later), group("c", gpus(1), pool="q")],
        {"p": POOL, "q": Pool(name="q", backend="away")},
        loads(node("n1")),
        START,
    )
    assert waits(decision) == {"a": "pool", "b": "backoff", "c": "backend_offline"}


def test_unavailable_nodes_take_nothing() -> None:
    assert waits(decide(group("a", gpus(1)), nodes=loads(node("n1", available=False)))) == {"a": "node_fit"}


resources = st.builds(Resources, gpu=st.integers(0, 8), cpu=st.integers(0, 32))


@given(
    st.lists(st.lists(resources, min_size=1, max_size=4), max_size=12),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 32)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_no_node_is_promised_more_than_it_has_and_order_of_input_does_not_matter(
    asks: list[list[Resources]], sizes: list[tuple[int, int]], rng: Any
) -> None:
    queue = [group(f"g{number}", *each, order=number) for number, each in enumerate(asks)]
    facts = [node(f"n{number}", gpu, cpu=cpu) for number, (gpu, cpu) in enumerate(sizes)]
    decision = decide(*queue, nodes=loads(*facts))
    assert {p.group for p in decision.placements} | {w.group for w in decision.waiting} == {g.group for g in queue}
    by_group = {g.group: {task.task: task.resources for task in g.tasks} for g in queue}
    for fact in facts:
        on_it = [by_group[p.group][t] for p in decision.placements for t, n in p.nodes.items() if n == fact.name]
        assert sum(each.gpu for each in on_it) <= fact.gpu
        assert sum(each.cpu for each in on_it) <= fact.cpu
    rng.shuffle(queue)
    rng.shuffle(facts)
    assert decide(*queue, nodes=loads(*facts)) == decision
