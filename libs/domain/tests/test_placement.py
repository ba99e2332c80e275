"""Places over real capacities: whole gangs, tight fits, the right order, and a reason for everybody who waits."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from libs.domain.tests.floor import POOL, decide, gpus, group, loads, node, placed, waits
from libs.domain.tests.life import START

from osmo_domain.cluster import Taint
from osmo_domain.placement import decide_placement
from osmo_domain.plan import Resources, TopologyAsk
from osmo_domain.pool import Platform, Pool, Priority, Toleration, TopologyKey

LOW = Priority.LOW


def test_high_before_normal_before_low_then_first_come() -> None:
    queue = [
        group("low", gpus(8), order=1, priority=LOW),
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
    assert "all of its tasks" in decision.waiting[0].message
    assert list(placed(decision)) == ["small"]


def test_a_gang_that_lacks_what_others_use_holds_nobody_back() -> None:
    """Nobody knows whether they will ever leave."""
    decision = decide(
        group("gang", gpus(1), gpus(8), order=1),
        group("small", gpus(1), order=2),
        nodes=loads(node("n1", used_gpu=1)),
    )
    assert waits(decision) == {"gang": "capacity"}
    assert list(placed(decision)) == ["small"]


def test_nobody_takes_what_the_head_of_the_line_waits_for_but_low_work_that_can_be_stopped() -> None:
    nodes = loads(node("busy"), node("idle"), node("other", labels={"kind": "small"}, gpu=2))
    nodes["b"]["busy"].promised_gpu = 8
    decision = decide(
        group("gang", gpus(8), gpus(8), order=1),
        group("behind", gpus(4), order=2),
        group("beside", gpus(2), order=3),
        group("low", gpus(4), order=4, priority=LOW),
        nodes=nodes,
    )
    assert waits(decision) == {"gang": "capacity", "behind": "ahead"}
    assert placed(decision) == {"beside": {"beside-0": "other"}, "low": {"low-0": "idle"}}


def test_low_work_keeps_to_its_own_line() -> None:
    nodes = loads(node("busy"), node("idle"))
    nodes["b"]["busy"].promised_gpu = 8
    decision = decide(
        group("gang", gpus(8), gpus(8), order=1, priority=LOW),
        group("behind", gpus(4), order=2, priority=LOW),
        nodes=nodes,
    )
    assert waits(decision) == {"gang": "capacity", "behind": "ahead"}


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
    tolerant = Platform(labels={"kind": "h"}, tolerations=(Toleration("keep", "Exists"),))
    pool = Pool(name="p", backend="b", default_platform="h", platforms={"h": tolerant})
    assert placed(decide(excluded, nodes=everything, pool=pool)) == {"a": {"a-0": "tainted"}}


def test_one_gang_may_need_nodes_of_different_kinds() -> None:
    platforms = {arch: Platform(labels={"arch": arch}) for arch in ("x86", "arm")}
    pool = Pool(name="p", backend="b", platforms=platforms)
    gang = group("a", gpus(8, platform="x86"), gpus(1, platform="arm"), gpus(8, platform="x86"))
    nodes = [node("x1", labels={"arch": "x86"}), node("x2", labels={"arch": "x86"}), node("a1", labels={"arch": "arm"})]
    assert placed(decide(gang, nodes=loads(*nodes), pool=pool)) == {"a": {"a-0": "x1", "a-1": "a1", "a-2": "x2"}}
    assert waits(decide(gang, nodes=loads(*nodes[:2]), pool=pool)) == {"a": "node_fit"}


def racks(*sizes: int) -> list[Any]:
    return [
        node(f"r{rack}-{number}", labels={"rack": f"r{rack}", "zone": f"z{rack // 2}"})
        for rack, size in enumerate(sizes)
        for number in range(size)
    ]


def near(group_name: str = "default", *, key: str = "rack", required: bool = True, gpu: int = 8) -> Resources:
    return gpus(gpu, topology=(TopologyAsk(key, group_name, required),))


TOPOLOGY = Pool(name="p", backend="b", topology_keys=(TopologyKey("zone", "zone"), TopologyKey("rack", "rack")))


def test_tasks_that_must_be_near_each_other_share_a_domain_the_tightest_one() -> None:
    gang = group("a", near(), near())
    assert set(placed(decide(gang, nodes=loads(*racks(1, 3, 2)), pool=TOPOLOGY))["a"].values()) == {"r2-0", "r2-1"}
    assert waits(decide(gang, nodes=loads(*racks(1, 1, 1)), pool=TOPOLOGY)) == {"a": "node_fit"}
    wishful = group("a", near(required=False), near(required=False))
    assert placed(decide(wishful, nodes=loads(*racks(1, 1)), pool=TOPOLOGY))


def test_levels_nest_and_equal_groups_under_different_parents_are_different() -> None:
    def at(rack: str) -> Resources:
        return gpus(8, topology=(TopologyAsk("zone", "z"), TopologyAsk("rack", rack)))

    gang = group("a", at("left"), at("left"), at("right"))
    nodes = placed(decide(gang, nodes=loads(*racks(2, 0, 2, 1)), pool=TOPOLOGY))["a"]
    assert {nodes["a-0"], nodes["a-1"]} == {"r2-0", "r2-1"}
    assert nodes["a-2"] == "r3-0"
    assert waits(decide(gang, nodes=loads(*racks(2, 0, 1, 1)), pool=TOPOLOGY)) == {"a": "node_fit"}


def test_reasons_for_pools_backends_maintenance_and_pauses() -> None:
    later = START + timedelta(seconds=5)
    pools = {
        "p": POOL,
        "q": Pool(name="q", backend="away"),
        "m": Pool(name="m", backend="b", enable_maintenance=True),
    }
    queue = [
        group("a", gpus(1), pool="nowhere"),
        group("b", gpus(1), not_before=later),
        group("c", gpus(1), pool="q"),
        group("d", gpus(1), pool="m"),
    ]
    decision = decide_placement(queue, pools, loads(node("n1")), START)
    assert waits(decision) == {"a": "pool", "b": "backoff", "c": "backend_offline", "d": "maintenance"}
    assert placed(decide_placement(queue, pools, loads(node("n1")), later)) == {"b": {"b-0": "n1"}}


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
