"""Guarantees, borrowing, sharing by weight and preemption, on cases that a person would try."""

from typing import Any

from libs.domain.tests.floor import gpus, group, loads, node, placed, pool, runs, stopped, waits
from libs.domain.tests.life import START

from osmo_domain.placement import Decision, Held, PendingGroup, decide_placement
from osmo_domain.plan import Resources, TopologyAsk
from osmo_domain.pool import Pool, Priority, TopologyKey

LOW = Priority.LOW


def decide(queue: list[PendingGroup], pools: list[Pool], facts: list[Any], running: list[Held]) -> Decision:
    named = {each.name: each for each in pools}
    return decide_placement(queue, named, loads(*facts, running=running), START, running)


def nodes(count: int) -> list[Any]:
    return [node(f"n{number:02}") for number in range(count)]


def full(count: int, name: str = "w", **fields: Any) -> list[Held]:
    """Groups of one task that fill so many nodes."""
    return [held for number in range(count) for held in runs(f"{name}{number:02}", (f"n{number:02}", 8), **fields)]


def test_the_faq_normal_work_beyond_the_quota_waits_and_the_same_as_low_runs_at_once() -> None:
    shared = [pool("p", guarantee=100), pool("q", guarantee=100)]
    running = full(12)
    ten = [gpus(5), gpus(5)]
    decision = decide([group("a", *ten)], shared, nodes(25), running)
    assert waits(decision) == {"a": "quota"}
    quota = decision.waiting[0].reason.quota
    assert quota is not None
    assert (quota.used, quota.limit, quota.asked) == (96, 100, 10)
    assert "96 of the 100" in decision.waiting[0].message
    low = decide([group("a", *ten, priority=LOW)], shared, nodes(25), running)
    assert [(each.group, each.quota) for each in low.placements] == [("a", "borrowed")]


def test_the_owner_stops_the_low_work_of_a_borrower_within_one_decision() -> None:
    shared = [pool("p", guarantee=8), pool("q", guarantee=8)]
    running = full(2, priority=LOW, pool="q")
    decision = decide([group("a", gpus(8))], shared, nodes(2), running)
    assert waits(decision) == {"a": "preempting"}
    assert len(decision.preemptions) == 1
    (victim,) = decision.waiting[0].reason.victims
    assert victim.workflow_id == decision.preemptions[0].workflow_id
    assert decision.preemptions[0].by == ("a", "a")


def test_what_was_cleared_is_kept_for_whom_it_was_cleared_until_he_starts() -> None:
    shared = [pool("p", guarantee=8), pool("q", guarantee=8)]
    running = full(2, priority=LOW, pool="q")
    running[0].leaving = True
    line = [
        group("a", gpus(8), order=1),
        group("b", gpus(8), order=2, priority=LOW, pool="q"),
        group("c", gpus(1), order=3),
    ]
    decision = decide(line, shared, nodes(2), running)
    assert not decision.placements
    assert not decision.preemptions
    assert waits(decision)["a"] == "preempting"
    decision = decide(line, shared, nodes(2), running[1:])
    assert placed(decision) == {"a": {"a-0": "n00"}}
    assert decision.placements[0].quota == "guarantee"


def test_low_work_is_safe_from_others_while_its_pool_is_within_its_guarantee_and_never_from_its_own() -> None:
    shared = [pool("p", guarantee=16), pool("q", guarantee=8)]
    running = [*full(1, priority=LOW, pool="q"), *runs("own", ("n01", 8), priority=LOW)]
    decision = decide([group("a", gpus(8))], shared, nodes(2), running)
    assert stopped(decision) == {"own"}
    assert not decide([group("a", gpus(8))], shared, nodes(1), running[:1]).preemptions


def test_nobody_is_stopped_in_vain() -> None:
    shared = [pool("p", guarantee=16), pool("q", guarantee=0)]
    running = [*runs("firm", ("n00", 1)), *runs("low", ("n01", 8), priority=LOW, pool="q")]
    decision = decide([group("a", gpus(8), gpus(8))], shared, nodes(2), running)
    assert not decision.preemptions
    beyond = decide([group("a", gpus(8), gpus(8), gpus(1))], shared, nodes(2), running[1:])
    assert not beyond.preemptions
    assert waits(beyond) == {"a": "quota"}


def test_own_work_goes_where_others_cannot_give_enough_for_the_cheapest_to_do() -> None:
    """q may give up one group, and the cheapest first choice would spend that where own work could go as well."""
    shared = [pool("p", guarantee=12), pool("q", guarantee=4)]
    running = [
        *runs("young", ("n00", 4), priority=LOW, pool="q", minutes=1),
        *runs("own", ("n00", 4), priority=LOW, minutes=60),
        *runs("other", ("n01", 4), priority=LOW, pool="q", minutes=2),
        *runs("firm", ("n01", 4)),
    ]
    half_a_node = gpus(4, cpu=40)
    decision = decide([group("a", half_a_node, half_a_node)], shared, nodes(2), running)
    assert stopped(decision) == {"own", "other"}


def test_low_work_stops_nobody() -> None:
    decision = decide([group("a", gpus(8), priority=LOW)], [pool("p", guarantee=8)], nodes(1), full(1, priority=LOW))
    assert not decision.preemptions
    assert waits(decision) == {"a": "capacity"}


def test_the_cheapest_are_stopped_the_least_work_lost_then_the_fewest() -> None:
    shared = [pool("p", guarantee=8)]
    old = runs("old", ("n00", 8), priority=LOW, minutes=600)
    young = runs("young", ("n01", 8), priority=LOW, minutes=1)
    assert stopped(decide([group("a", gpus(8))], shared, nodes(2), [*old, *young])) == {"young"}
    small = [held for number in range(4) for held in runs(f"s{number}", ("n01", 2), priority=LOW, minutes=600)]
    assert stopped(decide([group("a", gpus(8))], shared, nodes(2), [*old, *small])) == {"old"}


def test_only_as_many_as_needed_are_stopped_and_a_gang_goes_as_a_whole() -> None:
    shared = [pool("p", guarantee=8)]
    running = [
        *runs("gang", ("n00", 4), ("n01", 4), priority=LOW, minutes=1),
        *runs("x", ("n00", 4), priority=LOW, minutes=2),
        *runs("y", ("n01", 4), priority=LOW, minutes=3),
    ]
    decision = decide([group("a", gpus(4), gpus(4))], shared, nodes(2), running)
    assert stopped(decision) == {"gang"}
    (preemption,) = decision.preemptions
    assert (preemption.gpus, preemption.lost_gpu_s) == (8, 480)


def test_own_low_work_makes_way_below_the_maximum_even_where_nodes_are_free() -> None:
    capped = [pool("p", guarantee=8, maximum=8)]
    decision = decide([group("a", gpus(8))], capped, nodes(4), full(1, priority=LOW))
    assert stopped(decision) == {"w00"}
    low = decide([group("a", gpus(1), priority=LOW)], capped, nodes(4), full(1, priority=LOW))
    assert waits(low) == {"a": "quota"}


def test_idle_gpus_are_shared_by_weight_beyond_the_guarantees() -> None:
    shared = [pool("p", guarantee=10, weight=1), pool("q", guarantee=10, weight=3)]
    queue = [
        group(f"{name}{number}", gpus(1), pool=name, order=number, priority=LOW)
        for name in "pq"
        for number in range(60)
    ]
    decision = decide(queue, shared, nodes(5), [])
    counts = {name: sum(each.pool == name for each in decision.placements) for name in "pq"}
    assert counts == {"p": 15, "q": 25}


def test_whoever_waits_for_quota_is_not_overtaken_by_those_who_would_use_it_up() -> None:
    decision = decide(
        [
            group("head", gpus(6), order=1),
            group("small", gpus(4), order=2),
            group("cpu", Resources(cpu=1), order=3),
            group("never", gpus(8), gpus(8), order=0),
        ],
        [pool("p", guarantee=10)],
        nodes(3),
        runs("firm", ("n00", 5)),
    )
    assert waits(decision) == {"never": "quota", "head": "quota", "small": "ahead"}
    assert placed(decision).keys() == {"cpu"}


def test_a_pool_with_a_share_of_its_own_does_not_wait_for_the_heads_of_others() -> None:
    running = runs("firm", ("n00", 8))
    queue = [group("gang", gpus(8), gpus(8), order=1), group("other", gpus(4), order=2, pool="q")]
    own = decide(queue, [pool("p", guarantee=16), pool("q", guarantee=8)], nodes(2), running)
    assert (waits(own), placed(own).keys()) == ({"gang": "quota"}, {"other"})
    in_one_line = decide(queue, [pool("p"), pool("q")], nodes(2), running)
    assert waits(in_one_line) == {"gang": "capacity", "other": "ahead"}


def test_topology_is_kept_when_room_is_made() -> None:
    facts = [node(f"n{number:02}", labels={"rack": f"r{number // 2}"}) for number in range(4)]
    keyed = pool("p", guarantee=17, topology_keys=(TopologyKey("rack", "rack"),))
    asked = gpus(8, topology=(TopologyAsk("rack"),))
    running = [*runs("firm", ("n00", 1)), *full(4, priority=LOW)[1:]]
    decision = decide([group("a", asked, asked)], [keyed], facts, running)
    assert stopped(decision) == {"w02", "w03"}
