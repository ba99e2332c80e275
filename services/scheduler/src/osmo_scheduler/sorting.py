"""Sorting what arrived: each message to the workflow that it concerns, nodes and agents into the book."""

import logging
from typing import TypeVar

import msgspec

from osmo_domain.cluster import ClusterFact, GroupRefused, InventorySeen, PodFact, PodPhase, PodsSeen
from osmo_domain.commit import CommitCodec, UnknownEvent
from osmo_domain.report import TaskReported
from osmo_domain.workflow.events import WorkflowCancelRequested
from osmo_eventlog import subjects
from osmo_eventlog.following import CLUSTER_CODEC
from osmo_eventlog.ports import Recorded
from osmo_scheduler.aggregates import Entry
from osmo_scheduler.inbox import Arrived
from osmo_scheduler.loading import Loader
from osmo_scheduler.news import News
from osmo_scheduler.shard import Shard

log = logging.getLogger("osmo.scheduler.sorting")

REPORT_CODEC: CommitCodec[TaskReported] = CommitCodec(TaskReported)

Inventories = dict[str, InventorySeen]
"""Backend to its newest inventory of the round."""

E = TypeVar("E")


class Sorter:
    def __init__(self, shard: Shard, loader: Loader) -> None:
        self._shard = shard
        self._loader = loader

    async def sort(self, arrived: Arrived) -> tuple[dict[str, News], Inventories]:
        news: dict[str, News] = {}
        inventories: Inventories = {}
        for record in arrived.records.get(subjects.WORKFLOWS, ()):
            await self._workflow(record, news)
        for record in arrived.records.get(subjects.REPORTS, ()):
            for report in _events(REPORT_CODEC, record):
                self._of(news, report.workflow_id, record).reports.append(report)
        for record in arrived.records.get(subjects.CLUSTERS, ()):
            backend = subjects.parse_cluster(record.subject).backend
            if self._shard.owns(backend):
                for fact in _events(CLUSTER_CODEC, record):
                    self._fact(backend, fact, record, news, inventories)
        for stream, records in arrived.records.items():
            self._shard.positions[stream] = records[-1].seq
        return news, await self._whole(inventories)

    async def _whole(self, inventories: Inventories) -> Inventories:
        found = {backend: await self._loader.inventory(seen) for backend, seen in inventories.items()}
        return {backend: seen for backend, seen in found.items() if seen is not None}

    async def _workflow(self, record: Recorded, news: dict[str, News]) -> None:
        workflow_id = subjects.parse_workflow(record.subject).workflow_id
        known = self._shard.aggregates.get(workflow_id)
        if known is not None and record.seq <= known.seq:
            return
        commit = await self._loader.read(record)
        if commit is None:
            return
        entry = self._shard.aggregates.receive(workflow_id, record, commit)
        if entry is None and any(isinstance(event, WorkflowCancelRequested) and event.force for event in commit.events):
            entry = await self._take_up_again(workflow_id)
        if entry is not None:
            each = self._of(news, workflow_id, record)
            each.fresh = True
            each.foreign += [event for event in commit.events if not isinstance(event, UnknownEvent)]

    async def _take_up_again(self, workflow_id: str) -> Entry | None:
        """A workflow that is over, and whose pods somebody wants gone at once."""
        entry = await self._loader.load(workflow_id)
        if entry is not None:
            self._shard.aggregates.keep(entry)
        return entry

    def _fact(
        self, backend: str, fact: ClusterFact, record: Recorded, news: dict[str, News], inventories: Inventories
    ) -> None:
        match fact:
            case PodsSeen(pods=pods):
                for pod in pods:
                    self._see_end(pod)
                    self._of(news, pod.workflow_id, record).pods.append(pod)
            case GroupRefused():
                self._of(news, fact.workflow_id, record).refused.append(fact)
            case InventorySeen():
                inventories[backend] = fact
                self._shard.book.see(backend, fact, record.stored_at)
            case _:
                self._shard.book.see(backend, fact, record.stored_at)

    def _see_end(self, pod: PodFact) -> None:
        key = (pod.workflow_uuid, pod.task, pod.retry_id)
        if pod.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED, PodPhase.GONE):
            self._shard.book.over(key)
        if pod.phase is PodPhase.GONE:
            self._shard.removals.gone(key)

    def _of(self, news: dict[str, News], workflow_id: str, record: Recorded) -> News:
        each = news.setdefault(workflow_id, News())
        each.cause = f"{record.stream}:{record.seq}"
        return each


def _events(codec: CommitCodec[E], record: Recorded) -> list[E]:
    """The events of a fact that this release knows; none for bytes that are no commit."""
    try:
        commit = codec.decode(record.data)
    except msgspec.MsgspecError as error:
        log.error("a fact cannot be read", extra={"stream": record.stream, "seq": record.seq, "why": str(error)})
        return []
    return [event for event in commit.events if not isinstance(event, UnknownEvent)]
