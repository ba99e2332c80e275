"""Answers to what other services ask the scheduler of a shard: why does this workflow wait?"""

from collections.abc import Iterator

import msgspec

from osmo_domain.pending import Reason, ReasonCode, Upstream
from osmo_domain.pending_words import in_words
from osmo_domain.requests import ExplainPending, PendingExplained
from osmo_domain.workflow.state import Group, Workflow
from osmo_domain.workflow.status import GROUP_FINISHED, TaskStatus
from osmo_scheduler.shard import Shard
from osmo_scheduler.whys import Whys
from osmo_service.clock import Clock

_QUESTION = msgspec.json.Decoder(ExplainPending)
_ENCODER = msgspec.json.Encoder()


def answer(shard: Shard, asked: bytes, clock: Clock) -> bytes:
    """The bytes of a PendingExplained; empty for a workflow that does not wait, or is not known here."""
    question = _QUESTION.decode(asked)
    entry = shard.aggregates.get(question.workflow_id)
    if entry is None:
        return _ENCODER.encode(PendingExplained())
    whys = Whys(shard, entry.state, clock, changes=question.changes)
    return _ENCODER.encode(PendingExplained(dict(_reasons(entry.state, whys))))


def _reasons(state: Workflow, whys: Whys) -> Iterator[tuple[str, Reason]]:
    for group in state.groups.values():
        if group.status in GROUP_FINISHED:
            continue
        if group.status is TaskStatus.WAITING:
            yield group.name, _upstream(state, group)
        elif reason := whys.of(group.name):
            yield group.name, reason


def _upstream(state: Workflow, group: Group) -> Reason:
    remaining = [Upstream(name, state.groups[name].status) for name in sorted(group.remaining_upstreams)]
    return in_words(Reason(ReasonCode.UPSTREAM, upstreams=tuple(remaining)))
