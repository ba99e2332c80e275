"""Why a group waits, in full: the decision's own reason with everything that only somebody who asks needs to know.

Pure, and made of the same `decide_placement` that decides for everybody: the reason is its answer on what is, the changes are its answers
on what could be. Costs one decision for each change that is tried, and one walk over the nodes.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec.structs import replace

from osmo_domain.pending import Ahead, Change, Reason, ReasonCode
from osmo_domain.pending_changes import Permits, Starts, anywhere, find_changes
from osmo_domain.pending_room import exclusions, free_now, free_room, largest, platform_name, when_empty
from osmo_domain.pending_words import in_words
from osmo_domain.placement import Decision, Nodes, PendingGroup, Pools, Queue, Waiting, decide_placement
from osmo_domain.pool import Pool, Priority

_RANK = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}

LINED_UP = frozenset({ReasonCode.QUOTA, ReasonCode.NODE_FIT, ReasonCode.CAPACITY, ReasonCode.AHEAD})
"""Codes of groups that compete for room: these have a position in a line."""

CHANGEABLE = LINED_UP | {ReasonCode.POOL, ReasonCode.MAINTENANCE, ReasonCode.BACKEND_OFFLINE}
"""Codes where asking for something else may help; the others pass by themselves."""

Limited = Callable[[Starts, int], Starts]
"""Makes a question that answers no once it was asked often enough; the number is the length of the line."""


class Scene:
    """All that a decision is made of."""

    __slots__ = ("nodes", "now", "pools", "queue")

    def __init__(self, queue: Queue, pools: Pools, nodes: Nodes, now: datetime) -> None:
        self.queue = queue
        self.pools = pools
        self.nodes = nodes
        self.now = now

    def decide(self, queue: Queue) -> Decision:
        """What would be decided on this queue instead."""
        return decide_placement(queue, self.pools, self.nodes, self.now)


def explain(scene: Scene, group: PendingGroup, *, permits: Permits = anywhere) -> Reason | None:
    """Why the group, which is in the queue, has no place now, and what it would start with; None where it has one."""
    waiting = scene.decide(scene.queue).waiting
    reason = next((reason_of(each) for each in waiting if (each.workflow_id, each.group) == _key(group)), None)
    if reason is None:
        return None
    return replace(with_details(reason, scene, group), changes=changes_for(reason, scene, group, permits=permits))


def reason_of(waiting: Waiting) -> Reason:
    """What the decision said."""
    code = ReasonCode.BACKEND_OFFLINE if waiting.code == "backend" else ReasonCode(waiting.code)
    return Reason(code, waiting.message)


def ineligible(scene: Scene, group: PendingGroup) -> Reason | None:
    """Why nothing of its pool starts now, whoever asks; None where there is no such reason."""
    pool = scene.pools.get(group.pool)
    if pool is None:
        return Reason(ReasonCode.POOL, pool=group.pool)
    if pool.enable_maintenance:
        return Reason(ReasonCode.MAINTENANCE, pool=pool.name)
    if pool.backend not in scene.nodes:
        return Reason(ReasonCode.BACKEND_OFFLINE, pool=pool.name, backend=pool.backend)
    return None


def with_details(reason: Reason, scene: Scene, group: PendingGroup) -> Reason:
    """The reason with what is free, what is in the way and who is ahead, as far as its code is about that, and in words."""
    pool = scene.pools.get(group.pool)
    if pool is None or reason.code not in LINED_UP:
        return in_words(reason)
    reason = replace(reason, ahead=reason.ahead or _ahead(scene.queue, group))
    if reason.code is not ReasonCode.AHEAD:
        reason = _with_room(reason, pool, scene.nodes, group)
    return in_words(reason)


def changes_for(
    reason: Reason,
    scene: Scene,
    group: PendingGroup,
    *,
    permits: Permits = anywhere,
    limited: Limited = lambda starts, _: starts,
) -> tuple[Change, ...]:
    """The smallest changes with which a group that waits for this reason would start now."""
    if reason.code not in CHANGEABLE:
        return ()
    others = [each for each in scene.queue if _key(each) != _key(group)]
    last = max((each.order for each in scene.queue), default=0) + 1

    def starts(changed: PendingGroup) -> bool:
        again = replace(changed, order=last)
        placements = scene.decide([*others, again]).placements
        return any((each.workflow_id, each.group) == _key(again) for each in placements)

    return find_changes(group, scene.pools, limited(starts, len(scene.queue)), permits)


def _with_room(reason: Reason, pool: Pool, nodes: Nodes, group: PendingGroup) -> Reason:
    loads = nodes.get(pool.backend, {})
    task, asked = largest((each.task, each.resources) for each in group.tasks)
    offer = when_empty if reason.code is ReasonCode.NODE_FIT else free_now
    platforms = sorted({platform_name(pool, each.resources) for each in group.tasks})
    return replace(
        reason,
        free=reason.free or tuple(free_room(name, pool, asked, loads) for name in platforms),
        exclusions=reason.exclusions or exclusions(task, pool, asked, loads, offer),
    )


def _ahead(queue: Iterable[PendingGroup], group: PendingGroup) -> Ahead:
    turns = {_turn(each): each for each in queue if each.pool == group.pool}
    head = turns[min(turns)]
    position = 1 + sum(turn < _turn(group) for turn in turns)
    return Ahead(position, len(turns), head.workflow_id, head.group)


def _turn(group: PendingGroup) -> tuple[int, int, str]:
    return _RANK[group.priority], group.order, group.group


def _key(group: PendingGroup) -> tuple[str, str]:
    return group.workflow_id, group.group
