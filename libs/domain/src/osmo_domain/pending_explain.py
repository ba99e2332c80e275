"""Why a group waits, in full: the decision's own reason with everything that only somebody who asks needs to know.

Pure, and made of the same rounds that decide for everybody: the reason is what the last round found, the changes are what rounds on the changed
request find. Costs one round for each change that is tried, and one walk over the nodes.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from osmo_domain.node_fit import NodeLoad
from osmo_domain.pending import Change, Exclusion, FreeRoom, Reason, ReasonCode
from osmo_domain.pending_changes import Permits, Starts, anywhere, find_changes
from osmo_domain.pending_room import exclusions, free_now, free_room, largest, platform_name, when_empty
from osmo_domain.pending_words import in_words
from osmo_domain.placement import Board, Held, Nodes, PendingGroup, Pools, Queue, board_of
from osmo_domain.pool import Pool

COMPETING: Final = frozenset({ReasonCode.QUOTA, ReasonCode.NODE_FIT, ReasonCode.CAPACITY, ReasonCode.AHEAD})
"""Codes of groups that compete for room."""

CHANGEABLE: Final = COMPETING | {ReasonCode.POOL, ReasonCode.MAINTENANCE, ReasonCode.BACKEND_OFFLINE}
"""Codes where asking for something else may help; the others pass by themselves."""

LAST: Final = 1 << 62
"""The place in the line of somebody who comes after everybody else."""

UserOf = Callable[[str], str]
"""Who submitted the workflow; empty where nobody knows."""

Limited = Callable[[Starts], Starts]
"""Makes a question that answers no once it was asked often enough."""


class Surroundings(Struct, frozen=True):
    """What is free for a group where it may go, and which constraint removes which nodes."""

    free: tuple[FreeRoom, ...]
    exclusions: tuple[Exclusion, ...]


def surroundings(board: Board, pool: Pool, group: PendingGroup, code: ReasonCode) -> Surroundings:
    """Walks over all nodes of the pool's backend. What fits no node is compared with nodes as they would be empty, the rest with what is free."""
    loads = _loads(board, pool.backend)
    task, asked = largest((each.task, each.resources) for each in group.tasks)
    platforms = sorted({platform_name(pool, each.resources) for each in group.tasks})
    return Surroundings(
        free=tuple(free_room(name, pool, asked, loads) for name in platforms),
        exclusions=exclusions(task, pool, asked, loads, when_empty if code is ReasonCode.NODE_FIT else free_now),
    )


LookAround = Callable[[Board, Pool, PendingGroup, ReasonCode], Surroundings]


def explain(
    queue: Queue,
    pools: Pools,
    nodes: Nodes,
    running: Iterable[Held],
    group: PendingGroup,
    now: datetime,
    *,
    permits: Permits = anywhere,
) -> Reason | None:
    """Why the group, which is in the queue, has no place now, and what it would start with; None where it has one."""
    board = board_of(queue, pools, nodes, running)
    placed = {(each.workflow_id, each.group) for each in board.decide(now, nodes.keys()).placements}
    if group.key in placed:
        return None
    reason = reason_at_length(board, group, nodes.keys())
    if reason is None:
        return None
    return replace(reason, changes=changes_for(reason, board, group, now, nodes.keys(), permits=permits))


def reason_in_short(board: Board, group: PendingGroup, online: Collection[str]) -> Reason | None:
    """What the last round found, in words. None where nobody has looked at the group yet."""
    found = _reason(board, group, online, at_length=False)
    return in_words(found) if found is not None else None


def reason_at_length(
    board: Board,
    group: PendingGroup,
    online: Collection[str],
    *,
    user_of: UserOf = lambda _: "",
    look_around: LookAround = surroundings,
) -> Reason | None:
    """The same with who holds the quota, who is ahead, what is free and what is in the way, as far as its code is about that."""
    found = _reason(board, group, online, at_length=True)
    if found is None:
        return None
    pool = board.floor.pools.get(group.pool)
    if pool is not None and found.code in COMPETING and found.code is not ReasonCode.AHEAD:
        seen = look_around(board, pool, group, found.code)
        found = replace(found, free=seen.free, exclusions=seen.exclusions)
    return in_words(_with_users(found, user_of))


def changes_for(
    reason: Reason,
    board: Board,
    group: PendingGroup,
    now: datetime,
    online: Collection[str],
    *,
    permits: Permits = anywhere,
    limited: Limited = lambda starts: starts,
) -> tuple[Change, ...]:
    """The smallest changes with which a group that waits for this reason would start now. The board is left as it was."""
    if reason.code not in CHANGEABLE:
        return ()

    def starts(changed: PendingGroup) -> bool:
        return board.would_start(replace(changed, order=LAST, not_before=None), now, online)

    return find_changes(group, board.floor.pools, limited(starts), permits)


def _reason(board: Board, group: PendingGroup, online: Collection[str], *, at_length: bool) -> Reason | None:
    """What is true of the whole pool at this moment comes before what the last round found."""
    pool = board.floor.pools.get(group.pool)
    if pool is None:
        return Reason(ReasonCode.POOL, pool=group.pool)
    if pool.enable_maintenance:
        return Reason(ReasonCode.MAINTENANCE, pool=pool.name, backend=pool.backend)
    if pool.backend not in online:
        return Reason(ReasonCode.BACKEND_OFFLINE, pool=pool.name, backend=pool.backend)
    waiting = board.explain(group.key, at_length=at_length)
    return waiting.reason if waiting is not None else None


def _with_users(reason: Reason, user_of: UserOf) -> Reason:
    if reason.quota is None:
        return reason
    holders = [replace(each, user=user_of(each.workflow_id)) for each in reason.quota.holders]
    return replace(reason, quota=replace(reason.quota, holders=tuple(holders)))


def _loads(board: Board, backend: str) -> Sequence[NodeLoad]:
    return [room.load for (where, _), room in board.floor.rooms.items() if where == backend]
