"""Random clusters, pools and work: what must hold after every round, and that a board kept up to date decides as one built anew."""

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from libs.domain.tests.floor import gpus, group, loads, node, pool, runs
from libs.domain.tests.life import START
from msgspec.structs import replace

from osmo_domain.node_fit import NodeLoad
from osmo_domain.placement import Board, Decision, GroupKey, Held, PendingGroup, decide_placement
from osmo_domain.plan import Resources, TopologyAsk
from osmo_domain.pool import Platform, Pool, Priority, TopologyKey

NAMES = ("p", "q", "r")
LOW = Priority.LOW

quotas = st.tuples(st.sampled_from((-1, 2, 4, 8, 16)), st.sampled_from((-1, -1, 6, 12)), st.sampled_from((0, 1, 3)))
asks = st.builds(
    Resources,
    gpu=st.sampled_from((1, 0, 2, 4, 8)),
    cpu=st.sampled_from((0, 8)),
    platform=st.sampled_from(("", "", "", "big")),
)
wishes = st.tuples(asks, st.sampled_from((1, 1, 2, 3)), st.sampled_from(NAMES), st.sampled_from((LOW, *Priority)))
PLATFORMS = {"any": Platform(), "big": Platform(labels={"size": "big"})}


def a_pool(name: str, quota: tuple[int, int, int]) -> Pool:
    levels = (TopologyKey("rack", "rack"),)
    return pool(name, *quota, default_platform="any", platforms=PLATFORMS, topology_keys=levels)


class Cluster(RuleBasedStateMachine):
    """`pods` and `line` are the truth; the board is told of each change, and `check` looks at each decision with its own eyes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.count = 0
        self.board = Board()
        self.pools: dict[str, Pool] = {}
        self.facts: dict[str, Any] = {}
        self.pods: dict[tuple[str, str, int], Held] = {}
        self.line: dict[GroupKey, PendingGroup] = {}

    @initialize(
        quotas=st.lists(quotas, min_size=3, max_size=3),
        sizes=st.lists(st.sampled_from((2, 4, 8)), min_size=1, max_size=4),
    )
    def begin(self, quotas: list[tuple[int, int, int]], sizes: list[int]) -> None:
        self.pools = {name: a_pool(name, quota) for name, quota in zip(NAMES, quotas, strict=True)}
        self.board.set_pools(self.pools)
        for number, size in enumerate(sizes):
            self._see(f"n{number}", size)

    def _see(self, name: str, size: int) -> None:
        labels = {"size": "big" if size == 8 else "small", "rack": f"r{len(self.facts) % 2}"}
        self.facts[name] = node(name, size, cpu=16, labels=labels)
        self._say(name)

    def _say(self, name: str) -> None:
        load = NodeLoad(self.facts[name])
        for held in self.pods.values():
            if held.node == name:
                load.promise(held.resources)
                if held.leaving:
                    load.leave(held.resources)
        self.board.see_node("b", load)

    @rule(wanted=st.lists(wishes, min_size=1, max_size=4), minutes=st.integers(1, 60))
    def arrive(self, wanted: list[tuple[Resources, int, str, Priority]], minutes: int) -> None:
        for resources, tasks, name, priority in wanted:
            self.count += 1
            one = group(f"g{self.count}", *[resources] * tasks, order=self.count, pool=name, priority=priority)
            self._lines_up(one)
        self.decides(minutes)

    @rule(tasks=st.lists(asks, min_size=2, max_size=3), name=st.sampled_from(NAMES), priority=st.sampled_from(Priority))
    def a_mixed_gang_arrives(self, tasks: list[Resources], name: str, priority: Priority) -> None:
        self.count += 1
        self._lines_up(group(f"g{self.count}", *tasks, order=self.count, pool=name, priority=priority))

    @rule(
        gpu=st.sampled_from((1, 2, 4, 8)),
        tasks=st.integers(2, 3),
        required=st.booleans(),
        name=st.sampled_from(NAMES),
        priority=st.sampled_from(Priority),
    )
    def a_gang_that_wants_to_be_near_arrives(
        self, gpu: int, tasks: int, required: bool, name: str, priority: Priority
    ) -> None:
        self.count += 1
        near = Resources(gpu=gpu, topology=(TopologyAsk("rack", required=required),))
        self._lines_up(group(f"g{self.count}", *[near] * tasks, order=self.count, pool=name, priority=priority))

    def _lines_up(self, one: PendingGroup) -> None:
        self.line[one.key] = one
        self.board.line.join(one)

    @rule(pick=st.randoms(use_true_random=False))
    def gives_up(self, pick: Any) -> None:
        if self.line:
            key = pick.choice(sorted(self.line))
            del self.line[key]
            self.board.line.leave(key)

    @rule(pick=st.randoms(use_true_random=False))
    def ends(self, pick: Any) -> None:
        live = sorted({held.key for held in self.pods.values() if not held.leaving})
        if live:
            ended = pick.choice(live)
            for pod in [pod for pod, held in self.pods.items() if held.key == ended]:
                self._gone(pod)

    @rule()
    def those_who_leave_are_gone(self) -> None:
        for pod in [pod for pod, held in self.pods.items() if held.leaving]:
            self._gone(pod)

    def _gone(self, pod: tuple[str, str, int]) -> None:
        del self.pods[pod]
        self.board.release(pod)

    @rule(pick=st.randoms(use_true_random=False))
    def node_is_lost(self, pick: Any) -> None:
        if len(self.facts) > 1:
            name = pick.choice(sorted(self.facts))
            del self.facts[name]
            self.board.lose_node("b", name)
            for pod in [pod for pod, held in self.pods.items() if held.node == name]:
                self._gone(pod)

    @rule(size=st.sampled_from((2, 4, 8)))
    def node_comes(self, size: int) -> None:
        self.count += 1
        if len(self.facts) < 5:
            self._see(f"x{self.count}", size)

    @rule(pick=st.randoms(use_true_random=False), gpus=st.sampled_from((0, 1, 8)))
    def others_use_a_node_or_it_is_said_again(self, pick: Any, gpus: int) -> None:
        """Never what we have promised, as the cluster would not let them."""
        name = pick.choice(sorted(self.facts))
        ours = sum(held.resources.gpu for held in self.pods.values() if held.node == name)
        used = min(gpus, self.facts[name].gpu - ours)
        self.facts[name] = replace(self.facts[name], used_gpu=used, at=self.now)
        self._say(name)

    @rule(name=st.sampled_from(NAMES), quota=quotas)
    def pool_changes(self, name: str, quota: tuple[int, int, int]) -> None:
        self.pools = {**self.pools, name: a_pool(name, quota)}
        self.board.set_pools(self.pools)

    @rule(minutes=st.integers(0, 100))
    def decides(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        decision = self.board.decide(self.now, {"b"})
        again = self._from_scratch(self.line, self.pods)
        assert (decision.placements, decision.preemptions) == (again.placements, again.preemptions)
        self._check(again)
        self.line = {key: self.board.line.groups[key] for key in self.line}
        self._carry_out(decision)

    def _from_scratch(self, line: dict[GroupKey, PendingGroup], pods: dict[tuple[str, str, int], Held]) -> Decision:
        return decide_placement(
            list(reversed(line.values())),
            self.pools,
            loads(*reversed(self.facts.values()), running=pods.values()),
            self.now,
            list(reversed(pods.values())),
        )

    def _carry_out(self, decision: Decision) -> None:
        for preemption in decision.preemptions:
            for pod, held in self.pods.items():
                if held.key == (preemption.workflow_id, preemption.group):
                    self.board.leave(pod)
        for key, names in decision.claims.items():
            self.line[key] = replace(self.line[key], owed=names)
            self.board.owe(key, names)
        for each in decision.placements:
            one = self.line.pop((each.workflow_id, each.group))
            self.board.line.leave(one.key)
            for task in one.tasks:
                held = Held(
                    *(each.workflow_id, each.workflow_id, task.task, 0, "b", each.nodes[task.task], task.resources),
                    *(each.group, each.pool, one.priority, self.now),
                )
                self.pods[held.pod] = held
                self.board.hold(held)

    def _check(self, decision: Decision) -> None:
        for each in decision.placements:
            one = self.line[each.workflow_id, each.group]
            assert each.nodes.keys() == {task.task for task in one.tasks}, "a gang is placed whole"
            assert each.quota == ("borrowed" if one.priority is LOW else "guarantee")
            if any(level.required for task in one.tasks for level in task.resources.topology):
                assert len({self.facts[name].labels["rack"] for name in each.nodes.values()}) == 1
        self._nobody_is_over(decision)
        self._heads_are_not_delayed(decision)
        self._preemptions_are_right(decision)

    def _usage(self, decision: Decision, *, firm_only: bool) -> Counter[str]:
        gone = {(each.workflow_id, each.group) for each in decision.preemptions}
        counted: Counter[str] = Counter()
        for held in self.pods.values():
            if not held.leaving and held.key not in gone and not (firm_only and held.priority is LOW):
                counted[held.pool] += held.resources.gpu
        for each in decision.placements:
            one = self.line[each.workflow_id, each.group]
            if not (firm_only and one.priority is LOW):
                counted[each.pool] += _gpus(one)
        return counted

    def _nobody_is_over(self, decision: Decision) -> None:
        firm, total = self._usage(decision, firm_only=True), self._usage(decision, firm_only=False)
        for each in decision.placements:
            one, quota = self.line[each.workflow_id, each.group], self.pools[each.pool].gpu
            assert quota is not None
            if _gpus(one) and one.priority is not LOW and quota.guarantee >= 0:
                assert firm[each.pool] <= quota.guarantee
            if _gpus(one) and quota.maximum >= 0:
                assert total[each.pool] <= quota.maximum

    def _heads_are_not_delayed(self, decision: Decision) -> None:
        """The first of each line that lacks room or quota: nobody behind it was put where it could go, or given of its quota.

        Nothing is kept for one that lacks what others use: nobody knows whether they will ever leave.
        """
        codes = {(each.workflow_id, each.group): each.code for each in decision.waiting}
        for name in NAMES:
            for low in (False, True):
                line = sorted(
                    (one for one in self.line.values() if one.pool == name and (one.priority is LOW) == low), key=_turn
                )
                lacking = [
                    one for one in line if codes.get(one.key) == "capacity" and self._could_start_beside_others(one)
                ]
                self._nobody_delays(lacking[:1], line, decision, by_room=True)
                fitting = [
                    one for one in line if codes.get(one.key) == "quota" and _gpus(one) <= self._limit(name, low)
                ]
                self._nobody_delays(fitting[:1], line, decision, by_room=False)

    def _limit(self, name: str, low: bool) -> int:
        quota = self.pools[name].gpu
        assert quota is not None
        limits = [each for each in ((quota.maximum,) if low else (quota.guarantee, quota.maximum)) if each >= 0]
        return min(limits, default=1 << 30)

    def _nobody_delays(
        self, heads: list[PendingGroup], line: list[PendingGroup], decision: Decision, *, by_room: bool
    ) -> None:
        placed = {(each.workflow_id, each.group): each for each in decision.placements}
        for head in heads:
            for one in line:
                if _turn(one) > _turn(head) and one.key in placed:
                    if by_room:
                        assert not any(self._could_use(head, name) for name in placed[one.key].nodes.values())
                    else:
                        assert not _gpus(one), "what is left of the quota is the head's"

    def _could_use(self, one: PendingGroup, name: str) -> bool:
        return any(self._could_take(task.resources, name) for task in one.tasks)

    def _could_start_beside_others(self, one: PendingGroup) -> bool:
        return all(any(self._could_take(task.resources, name) for name in self.facts) for task in one.tasks)

    def _could_take(self, asked: Resources, name: str) -> bool:
        fact = self.facts[name]
        return (
            asked.gpu <= fact.gpu - fact.used_gpu
            and asked.cpu <= fact.cpu
            and (asked.platform != "big" or fact.labels.get("size") == "big")
        )

    def _preemptions_are_right(self, decision: Decision) -> None:
        gone: set[GroupKey] = set()
        for each in decision.preemptions:
            victim = [held for held in self.pods.values() if held.key == (each.workflow_id, each.group)]
            assert victim
            assert all(held.priority is LOW and not held.leaving for held in victim)
            gone.add((each.workflow_id, each.group))
        if decision.preemptions:
            assert decision.claims.keys() == {each.by for each in decision.preemptions}
            self._not_in_vain(decision, gone)

    def _not_in_vain(self, decision: Decision, gone: set[GroupKey]) -> None:
        """When all who leave are gone, those for whom they were stopped start, where room was made for them."""
        left = {pod: held for pod, held in self.pods.items() if held.key not in gone and not held.leaving}
        line = {key: replace(one, owed=decision.claims.get(key, one.owed)) for key, one in self.line.items()}
        later = {(each.workflow_id, each.group): each for each in self._from_scratch(line, left).placements}
        for key, names in decision.claims.items():
            assert sorted(later[key].nodes.values()) == sorted(names)

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        for name, fact in self.facts.items():
            here = [held.resources for held in self.pods.values() if held.node == name]
            assert sum(each.gpu for each in here) <= fact.gpu - fact.used_gpu
            assert sum(each.cpu for each in here) <= fact.cpu

    @invariant()
    def usage_is_the_sum_over_live_placements(self) -> None:
        for name in NAMES:
            live = [held for held in self.pods.values() if held.pool == name and not held.leaving]
            assert self.board.usage.total(name) == sum(held.resources.gpu for held in live)
            assert self.board.usage.low.get(name, 0) == sum(held.resources.gpu for held in live if held.priority is LOW)

    @invariant()
    def every_room_is_as_its_load_says(self) -> None:
        for room in self.board.floor.rooms.values():
            assert room.entry == room.as_it_is()
            here = [held for held in self.pods.values() if held.node == room.name]
            going = sum(held.resources.gpu for held in here if held.leaving or held.priority is LOW)
            assert room.yields in (None, room.entry[0] + going)
            assert (room.yields is None) <= (going == 0)


def _gpus(one: PendingGroup) -> int:
    return sum(task.resources.gpu for task in one.tasks)


def _turn(one: PendingGroup) -> tuple[int, Any]:
    return one.rank, one.turn


TestCluster = Cluster.TestCase
TestCluster.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@given(
    st.lists(st.sampled_from(("p", "q")), min_size=16, max_size=16),
    st.integers(0, 8),
    st.integers(1, 8),
)
def test_guarantees_hold_whoever_has_borrowed(borrowers: list[str], firm: int, wanted: int) -> None:
    """Where guarantees do not exceed the capacity, work within its guarantee has a place, or gets one made at once."""
    pools = {"p": pool("p", 8), "q": pool("q", 8)}
    running = [
        held
        for number, borrower in enumerate(borrowers)
        for held in runs(
            f"g{number}", (f"n{number // 4}", 1), pool="q" if number < firm else borrower,
            priority=Priority.NORMAL if number < firm else LOW, minutes=number,
        )
    ]  # fmt: skip
    facts = [node(f"n{number}", 4) for number in range(4)]
    asked = group("a", *[gpus(1)] * wanted)
    decision = decide_placement([asked], pools, loads(*facts, running=running), START, running)
    assert len(decision.preemptions) == wanted
    assert decision.waiting[0].code == "preempting"
