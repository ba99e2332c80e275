"""What an agent's inventory heals: attempts whose pod is gone, and pods that nobody needs any more."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from osmo_domain.cluster import InventorySeen
from osmo_domain.command import DeleteGroup
from osmo_domain.placement import PodKey
from osmo_domain.workflow.state import Attempt, Workflow
from osmo_domain.workflow.status import GROUP_FINISHED, TaskStatus
from osmo_scheduler.cluster_book import Promise
from osmo_scheduler.removals import ASK_AGAIN_AFTER
from osmo_scheduler.shard import Shard

Missing = tuple[str, str, int]
"""Workflow id, task and retry_id of a live attempt without a pod."""


def missing_pods(shard: Shard, backend: str, seen: InventorySeen) -> list[Missing]:
    """Live attempts that must have a pod by now, and have none.

    An attempt whose pod was seen has had one since then; one whose pod was never seen has one when its create command was carried out.
    """
    existing = set(seen.pods)
    return [
        (promise.workflow_id, promise.task, promise.retry_id)
        for promise in shard.book.live(backend)
        if promise.pod not in existing and _is_due(shard, promise, seen)
    ]


def _is_due(shard: Shard, promise: Promise, seen: InventorySeen) -> bool:
    entry = shard.aggregates.get(promise.workflow_id)
    if entry is None:
        return False
    attempt = entry.state.tasks[promise.task].attempt
    if attempt.status is TaskStatus.SCHEDULING:
        return 0 < promise.created <= seen.commands_seq
    return _seen_before(attempt, seen.at)


def _seen_before(attempt: Attempt, at: datetime) -> bool:
    """Both are times of the agent's clock."""
    last_seen = attempt.started_at or attempt.initializing_at
    return last_seen is not None and last_seen < at


def needless_pods(shard: Shard, backend: str, seen: InventorySeen, now: datetime) -> Iterator[DeleteGroup]:
    """Commands to remove pods of attempts that are over, where none is under way. Also forgets what is confirmed to be gone."""
    _confirm(shard, backend, seen)
    by_group: dict[tuple[str, str, str, bool], dict[str, int]] = {}
    for pod in _over(shard, seen.pods):
        known = shard.removals.get(pod)
        if known is not None and (known.seq > seen.commands_seq or now - known.asked_at < ASK_AGAIN_AFTER):
            continue
        workflow_id, group, force = (known.workflow_id, known.group, known.force) if known else ("", "", False)
        by_group.setdefault((workflow_id, pod[0], group, force), {})[pod[1]] = pod[2]
    for (workflow_id, uuid, group, force), retry_ids in by_group.items():
        yield DeleteGroup(workflow_id, uuid, group, retry_ids, force=force)


def _confirm(shard: Shard, backend: str, seen: InventorySeen) -> None:
    """What was to leave and is not there any more has left; its place is free."""
    existing = set(seen.pods)
    shard.removals.confirm(backend, existing, seen.commands_seq)
    for promise in shard.book.leaving(backend):
        if promise.pod not in existing and shard.removals.get(promise.pod) is None:
            shard.book.over(promise.pod)


def _over(shard: Shard, pods: Iterable[PodKey]) -> Iterator[PodKey]:
    """Those whose attempt has ended, and whose group no longer needs them: of a workflow that is over, of an earlier attempt.

    Most pods of an inventory are live, which the book knows without a look at states that rest.
    """
    for uuid, task, retry_id in pods:
        if shard.book.is_live((uuid, task, retry_id)):
            continue
        entry = shard.aggregates.by_uuid(uuid)
        if entry is None or not _needed(entry.state, task, retry_id):
            yield uuid, task, retry_id


def _needed(state: Workflow, task: str, retry_id: int) -> bool:
    known = state.tasks.get(task)
    if known is None or retry_id < known.attempt.retry_id:
        return False
    return state.groups[known.group].status not in GROUP_FINISHED
