"""Answers to what other services ask the scheduler of a shard: why does this workflow wait?"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from osmo_domain.requests import ExplainPending, PendingExplained
from osmo_domain.workflow.state import Group, Workflow
from osmo_domain.workflow.status import GROUP_FINISHED, TaskStatus
from osmo_scheduler.shard import Shard

_QUESTION = msgspec.json.Decoder(ExplainPending)
_ENCODER = msgspec.json.Encoder()

Reason = tuple[str, str]


def answer(shard: Shard, asked: bytes, now: datetime) -> bytes:
    """The bytes of a PendingExplained; empty for a workflow that does not wait, or is not known here."""
    entry = shard.aggregates.get(_QUESTION.decode(asked).workflow_id)
    reasons = dict(_reasons(shard, entry.state, now)) if entry is not None else {}
    return _ENCODER.encode(PendingExplained(reasons))


def _reasons(shard: Shard, state: Workflow, now: datetime) -> Iterator[tuple[str, Reason]]:
    for group in state.groups.values():
        if group.status in GROUP_FINISHED:
            continue
        if group.status is TaskStatus.WAITING:
            yield group.name, ("upstream", _upstreams(group))
        elif waiting := _reason(shard, state, group, now):
            yield group.name, waiting


def _upstreams(group: Group) -> str:
    return f"Waits for {', '.join(sorted(group.remaining_upstreams))}."


def _reason(shard: Shard, state: Workflow, group: Group, now: datetime) -> Reason | None:
    pool = shard.catalogue.pools.get(state.pool)
    reason = shard.line.reason(state.workflow_id, group.name)
    if reason is not None and pool is not None and pool.backend not in shard.book.nodes(now):
        return "backend", f"Backend {pool.backend} is offline."
    return reason
