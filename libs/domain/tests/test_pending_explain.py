"""Why groups wait: every change that is named does start the group, the numbers are right, and the words hold them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from osmo_domain.cluster import NodeFact
from osmo_domain.pending import Change, ChangeKind, Constraint, Reason, ReasonCode
from osmo_domain.pending_changes import Permits, anywhere, apply_change
from osmo_domain.pending_explain import explain
from osmo_domain.placement import Decision, Held, NodeLoad, PendingGroup, TaskRequest, decide_placement
from osmo_domain.plan import Resources
from osmo_domain.pool import GpuQuota, Platform, Pool, Priority

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GIB = 1 << 30

PLATFORMS = {"big": Platform(labels={"kind": "big"}), "small": Platform(labels={"kind": "small"})}
TEAM = Pool("team", "b", default_platform="big", platforms=PLATFORMS)
OTHER = Pool("other", "b", default_platform="small", platforms={"small": PLATFORMS["small"]})
FAR = Pool("far", "c", default_platform="any", platforms={"any": Platform()})
POOLS = {pool.name: pool for pool in (TEAM, OTHER, FAR)}


def node(name: str, kind: str, gpus: int, *, promised: int = 0, **fields: object) -> NodeLoad:
    fact = NodeFact(name, NOW, cpu=64, gpu=gpus, memory_bytes=256 * GIB, storage_bytes=GIB, labels={"kind": kind})
    return NodeLoad(replace(fact, **fields), promised_gpu=promised)


def group(
    name: str, *gpus: int, pool: str = "team", order: int = 1, priority: Priority = Priority.NORMAL, platform: str = ""
) -> PendingGroup:
    tasks = tuple(TaskRequest(f"t{n}", Resources(cpu=1, gpu=each, platform=platform)) for n, each in enumerate(gpus))
    return PendingGroup(f"{name}-1", name, pool, priority, order, tasks)


@dataclass(frozen=True)
class Scene:
    """All that a decision is made of."""

    queue: tuple[PendingGroup, ...]
    pools: dict[str, Pool]
    nodes: dict[str, dict[str, NodeLoad]]
    running: tuple[Held, ...]

    def decide(self, queue: Iterable[PendingGroup]) -> Decision:
        return decide_placement(tuple(queue), self.pools, self.nodes, NOW, self.running)

    def explain(self, asking: PendingGroup, permits: Permits = anywhere) -> Reason | None:
        return explain(self.queue, self.pools, self.nodes, self.running, asking, NOW, permits=permits)


def scene(
    *queue: PendingGroup,
    nodes: dict[str, list[NodeLoad]],
    pools: dict[str, Pool] | None = None,
    running: Iterable[Held] = (),
) -> Scene:
    """What runs is promised on its nodes."""
    loads = {backend: {load.fact.name: load for load in each} for backend, each in nodes.items()}
    held = tuple(running)
    for each in held:
        loads[each.backend][each.node].promised_gpu += each.resources.gpu
    return Scene(queue, pools or POOLS, loads, held)


def running(name: str, where: str, gpus: int, *, pool: str = "team", priority: Priority = Priority.NORMAL) -> Held:
    return Held(f"{name}-1", name, "t", 0, "b", where, Resources(gpu=gpus), name, pool, priority, NOW)


def reason_for(where: Scene, asking: PendingGroup) -> Reason:
    reason = where.explain(asking)
    assert reason is not None
    return reason


def changes(reason: Reason) -> dict[ChangeKind, list[str]]:
    found: dict[ChangeKind, list[str]] = {}
    for each in reason.changes:
        found.setdefault(each.kind, []).append(each.value)
    return found


def test_a_full_platform_names_what_is_free_and_every_way_out() -> None:
    asking = group("train", 8, 8)
    where = scene(
        asking,
        nodes={
            "b": [
                node("n1", "big", 8, promised=4),
                node("n2", "big", 8),
                node("s1", "small", 8),
                node("s2", "small", 8),
            ],
            "c": [node("c1", "any", 8), node("c2", "any", 8)],
        },
    )
    reason = reason_for(where, asking)
    assert reason.code is ReasonCode.CAPACITY
    (room,) = reason.free
    assert (room.platform, room.nodes, room.free_gpus, room.most_gpus, room.gang) == ("big", 2, 12, 8, 1)
    assert [(each.constraint, each.nodes) for each in reason.exclusions] == [
        (Constraint.PLATFORM, 2),
        (Constraint.GPU, 1),
    ]
    assert changes(reason) == {
        ChangeKind.FEWER_GPUS: ["4"],
        ChangeKind.FEWER_TASKS: ["1"],
        ChangeKind.PLATFORM: ["small"],
        ChangeKind.POOL: ["far", "other"],
    }
    assert [each.message for each in reason.changes] == [
        "with 4 GPUs per task",
        "with 1 task in the group",
        "on platform small",
        "in pool far",
        "in pool other",
    ]


def test_a_quota_says_who_holds_it_and_that_low_would_start() -> None:
    """The FAQ: a limit of 100 in a capacity of 200, 96 used, and 10 more asked for."""
    team = replace(TEAM, gpu=GpuQuota(guarantee=100))
    nodes = [node(f"n{number:02}", "big", 8) for number in range(25)]
    held = [running(f"r{number}", f"n{number:02}", 8) for number in range(12)]
    asking = group("train", 5, 5)
    reason = reason_for(scene(asking, nodes={"b": nodes}, pools={"team": team}, running=held), asking)
    assert reason.code is ReasonCode.QUOTA
    assert reason.quota is not None
    assert (reason.quota.used, reason.quota.limit, reason.quota.asked) == (96, 100, 10)
    assert [each.gpus for each in reason.quota.holders] == [8] * 5
    assert reason.quota.more_holders == 7
    assert reason.message == (
        "Asks for 10 GPUs; 96 of the 100 of pool team are used, by r0-1 8, r1-1 8, r10-1 8 and 9 more."
    )
    assert changes(reason) == {
        ChangeKind.FEWER_GPUS: ["2"],
        ChangeKind.PRIORITY: ["LOW"],
    }


def test_what_fits_no_node_says_which_constraint_removes_how_many() -> None:
    asked = Resources(gpu=4, memory_bytes=300 * GIB, nodes_excluded=("n3",))
    asking = replace(group("train"), tasks=(TaskRequest("t", asked),))
    nodes = [
        node("n1", "big", 8),
        node("n2", "big", 2),
        node("n3", "big", 8),
        node("n4", "big", 8, available=False),
        node("n5", "small", 8),
    ]
    reason = reason_for(scene(asking, nodes={"b": nodes}), asking)
    assert reason.code is ReasonCode.NODE_FIT
    found = {each.constraint: (each.nodes, each.asked, each.most) for each in reason.exclusions}
    assert found == {
        Constraint.UNAVAILABLE: (1, 0, 0),
        Constraint.PLATFORM: (1, 0, 0),
        Constraint.NODES_EXCLUDED: (1, 0, 0),
        Constraint.GPU: (1, 4, 2),
        Constraint.MEMORY: (1, 300 * GIB, 256 * GIB),
    }
    assert reason.changes == ()


def test_a_platform_without_nodes_waits_for_them() -> None:
    """Nodes that scale from zero."""
    asking = group("train", 1, platform="big")
    reason = reason_for(scene(asking, nodes={"b": [node("s1", "small", 8)]}), asking)
    assert reason.code is ReasonCode.NODE_FIT
    assert reason.free[0].nodes == 0
    assert changes(reason)[ChangeKind.PLATFORM] == ["small"]


def test_the_place_in_the_line_and_its_head() -> None:
    waiting = [group(f"w{n}", 8, order=n) for n in range(4)]
    urgent = group("urgent", 8, order=9, priority=Priority.HIGH)
    other = group("other", 16, pool="other", order=0)
    where = scene(*waiting, urgent, other, nodes={"b": [node("n1", "big", 8, promised=8), node("s1", "small", 4)]})
    ahead = reason_for(where, waiting[2]).ahead
    assert ahead is not None
    assert (ahead.position, ahead.length, ahead.head_workflow_id, ahead.head_group) == (4, 5, "urgent-1", "urgent")


def test_what_passes_by_itself_needs_no_change() -> None:
    asking = replace(group("train", 1), not_before=NOW + timedelta(seconds=30))
    reason = reason_for(scene(asking, nodes={"b": [node("n1", "big", 8)]}), asking)
    assert (reason.code, reason.changes) == (ReasonCode.BACKOFF, ())


def test_a_pool_that_starts_nothing_now_and_who_else_would() -> None:
    asking = group("train", 1)
    there = {"c": [node("c1", "any", 8)]}
    offline = reason_for(scene(asking, nodes=there), asking)
    assert (offline.code, changes(offline)) == (ReasonCode.BACKEND_OFFLINE, {ChangeKind.POOL: ["far"]})
    gone = reason_for(scene(asking, nodes=there, pools={"far": FAR}), asking)
    assert (gone.code, gone.message) == (ReasonCode.POOL, "Pool team does not exist.")
    closed = {"team": replace(TEAM, enable_maintenance=True), "other": OTHER}
    kept = reason_for(scene(asking, nodes={"b": [node("s1", "small", 8)]}, pools=closed), asking)
    assert (kept.code, changes(kept)) == (ReasonCode.MAINTENANCE, {ChangeKind.POOL: ["other"]})


def test_who_has_a_place_has_no_reason() -> None:
    asking = group("train", 1)
    assert scene(asking, nodes={"b": [node("n1", "big", 8)]}).explain(asking) is None


def test_rules_that_placement_does_not_know_are_asked() -> None:
    asking = group("train", 8)
    where = scene(asking, nodes={"b": [node("s1", "small", 8)], "c": [node("c1", "any", 8)]})
    reason = where.explain(asking, permits=lambda pool, _: pool.name == "far")
    assert reason is not None
    assert changes(reason) == {ChangeKind.POOL: ["far"]}


# Whatever the clusters and the queue are: who does what is named has a place at once.

GPUS = st.integers(0, 8)
PRIORITIES = st.sampled_from(list(Priority))
QUOTAS = st.none() | st.builds(GpuQuota, guarantee=st.integers(-1, 16), maximum=st.sampled_from([-1, -1, 8, 16]))


@st.composite
def clusters(draw: st.DrawFn) -> tuple[dict[str, list[NodeLoad]], list[Held]]:
    """Nodes of one or two backends; some run work of pool `team`, on some are pods of nobody's quota."""
    nodes: dict[str, list[NodeLoad]] = {}
    held = []
    for backend in sorted(draw(st.sets(st.sampled_from(["b", "c"])))):
        for number, gpus in enumerate(draw(st.lists(st.sampled_from([0, 4, 8]), max_size=4))):
            name, used = f"{backend}{number}", draw(st.integers(0, gpus))
            by_us = backend == "b" and draw(st.booleans())
            kind = draw(st.sampled_from(["big", "small"]))
            nodes.setdefault(backend, []).append(node(name, kind, gpus, promised=0 if by_us else used))
            if by_us and used:
                held.append(running(f"r-{name}", name, used, priority=draw(PRIORITIES)))
    return nodes, held


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    nodes, held = draw(clusters())
    queue = [
        group(
            f"w{number}",
            *draw(st.lists(GPUS, min_size=1, max_size=4) | GPUS.map(lambda each: [each] * 3)),
            pool=draw(st.sampled_from(["team", "team", "other", "far", "gone"])),
            order=number,
            priority=draw(PRIORITIES),
            platform=draw(st.sampled_from(["", "", "big", "small"])),
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    pools = {name: replace(pool, gpu=draw(QUOTAS)) for name, pool in POOLS.items()}
    return scene(*queue, nodes=nodes, pools=pools, running=held)


@settings(max_examples=300, deadline=None)
@given(scenes())
def test_every_change_that_is_named_starts_the_group_when_it_is_submitted_again_like_that(where: Scene) -> None:
    for asking in where.queue:
        reason = where.explain(asking)
        placed = {each.workflow_id for each in where.decide(where.queue).placements}
        assert (reason is None) == (asking.workflow_id in placed)
        for change in reason.changes if reason else ():
            assert submitted_again(where, asking, change), change
            assert not is_modest(asking, change) or not submitted_again(where, asking, one_more(change)), change


def submitted_again(where: Scene, asking: PendingGroup, change: Change) -> bool:
    """The request is withdrawn, and one with the change comes as the last."""
    others = [each for each in where.queue if each is not asking]
    again = replace(apply_change(asking, change), workflow_id="again-1", order=1000)
    placements = where.decide([*others, again]).placements
    return any(each.workflow_id == "again-1" for each in placements)


def is_modest(asking: PendingGroup, change: Change) -> bool:
    """A little more than the change could be asked for, and still be less than before."""
    before = {
        ChangeKind.FEWER_GPUS: max(task.resources.gpu for task in asking.tasks),
        ChangeKind.FEWER_TASKS: len(asking.tasks),
    }
    return change.kind in before and int(change.value) + 1 < before[change.kind]


def one_more(change: Change) -> Change:
    return replace(change, value=str(int(change.value) + 1))
