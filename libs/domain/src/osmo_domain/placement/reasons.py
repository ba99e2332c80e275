"""Why a group has no place: what the round found, and the reason that is made of it when somebody asks."""

from typing import TYPE_CHECKING, Final

from osmo_domain.pending import Ahead, Holder, QuotaState, Reason, ReasonCode
from osmo_domain.placement.model import PendingGroup
from osmo_domain.placement.usage import UNLIMITED, firm_limit, quota_of
from osmo_domain.placement.verdict import Verdict
from osmo_domain.pool import Priority

if TYPE_CHECKING:
    from osmo_domain.placement.board import Board

HOLDERS_NAMED: Final = 5

LINED_UP: Final = frozenset({ReasonCode.QUOTA, ReasonCode.NODE_FIT, ReasonCode.CAPACITY, ReasonCode.AHEAD})


def reason_for(board: "Board", group: PendingGroup, verdict: Verdict | None, *, at_length: bool) -> Reason | None:
    """The reason as data. At length: with holders and the position in line, which cost a walk over the pool's groups."""
    pool = board.floor.pools.get(group.pool)
    backend = pool.backend if pool is not None else ""
    if board.line.class_of(group.key) is None:
        return Reason(ReasonCode.BACKOFF, pool=group.pool, backend=backend, until=group.not_before)
    if verdict is None:
        return None
    return Reason(
        verdict.code,
        verdict.message,
        pool=group.pool,
        backend=backend,
        quota=_quota(board, group, at_length=at_length) if verdict.code is ReasonCode.QUOTA else None,
        ahead=_ahead(board, group, verdict) if at_length and verdict.code in LINED_UP else None,
        victims=verdict.victims,
    )


def _ahead(board: "Board", group: PendingGroup, verdict: Verdict) -> Ahead:
    position, length, first = board.line.position(group)
    return Ahead(position, length, *(verdict.head or first))


def _quota(board: "Board", group: PendingGroup, *, at_length: bool) -> QuotaState | None:
    pool = board.floor.pools.get(group.pool)
    if pool is None:
        return None
    low = group.priority is Priority.LOW
    limit = quota_of(pool).maximum if low else firm_limit(pool)
    if limit == UNLIMITED:
        return None
    used = board.usage.total(pool.name) if low else board.usage.firm.get(pool.name, 0)
    asked = sum(task.resources.gpu for task in group.tasks)
    held = board.holders.of(pool.name, also_low=low) if at_length else []
    named = tuple(Holder(*key, -gpus, priority=priority) for gpus, key, priority in held[:HOLDERS_NAMED])
    return QuotaState(pool.name, used, limit, asked, named, max(0, len(held) - HOLDERS_NAMED))
