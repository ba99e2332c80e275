"""Answers about workflows, from the read model. What was made of a workflow's rows is kept for as long as the rows stay as they are."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
from msgspec import Raw, Struct

from osmo_api.http import WhyAnswer, WhyGroup, WorkflowAnswer, WorkflowListAnswer
from osmo_domain.errors import Rejected
from osmo_domain.label_policy import label_warnings
from osmo_gateway.app_reads import AppReads
from osmo_gateway.estate import Estate
from osmo_gateway.kept import Kept
from osmo_gateway.links import Links
from osmo_gateway.list_entries import Entry, WorkflowPage, encoded_entry, workflow_page
from osmo_gateway.own_writes import OwnWrites
from osmo_gateway.pages import Pages
from osmo_gateway.pending_reads import PendingReads, may_wait
from osmo_gateway.shared import Rounds
from osmo_gateway.times import duration_s, queued_s
from osmo_gateway.workflow_answers import workflow_answer
from osmo_service.clock import Clock
from osmo_views.ports import WorkflowFilter, WorkflowViews
from osmo_views.rows import WorkflowRow, WorkflowSummary

_ENCODER: Final = msgspec.json.Encoder()

_KEPT_BYTES: Final = 16 * 1024 * 1024
_PAGES_BYTES: Final = 4 * 1024 * 1024
_ROW_BYTES: Final = 2_000
"""About what one row, or what is made of it, takes in memory."""


class _Answered(Struct, frozen=True):
    """An answer as it was when it was made, and the row that tells what of it moves with time."""

    row: WorkflowRow
    answer: WorkflowAnswer


def workflow_not_found(id_or_uuid: str) -> Rejected:
    return Rejected("workflow.unknown", f"Workflow {id_or_uuid[:200]} is not found.", error_code="DATABASE")


class WorkflowReads:
    def __init__(
        self,
        views: WorkflowViews,
        own_writes: OwnWrites,
        clock: Clock,
        links: Links,
        pending: PendingReads,
        apps: AppReads,
        estate: Estate,
        edition: Rounds[int],
    ) -> None:
        self._views = views
        self._own_writes = own_writes
        self._clock = clock
        self._links = links
        self._pending = pending
        self._apps = apps
        self._estate = estate
        self._answers: Kept[_Answered] = Kept(_KEPT_BYTES)
        self._entries: Kept[Entry] = Kept(_KEPT_BYTES)
        self._pages: Pages[WorkflowPage] = Pages(edition, most_bytes=_PAGES_BYTES, is_current=self._is_current)

    async def find(self, id_or_uuid: str) -> WorkflowRow:
        """The row of a workflow, with the caller's own writes in it. Raises Rejected where there is none."""
        await self._own_writes.visible(id_or_uuid)
        row = await self._views.workflow(id_or_uuid)
        if row is None and await self._own_writes.appeared(id_or_uuid):
            row = await self._views.workflow(id_or_uuid)
        if row is None:
            raise workflow_not_found(id_or_uuid)
        return row

    async def query(self, id_or_uuid: str, *, skip_groups: bool = False, verbose: bool = False) -> WorkflowAnswer:
        """The groups in the answer may be encoded already."""
        await self._own_writes.visible(id_or_uuid)
        asked = (id_or_uuid, skip_groups, verbose)
        kept = None
        if asked in self._answers:
            kept = self._answers.get(asked, await self._views.version(id_or_uuid))
        if kept is None:
            kept = await self._read(id_or_uuid, skip_groups=skip_groups, verbose=verbose)
        return self._now(kept)

    async def _read(self, id_or_uuid: str, *, skip_groups: bool, verbose: bool) -> "_Answered":
        """From the views, and kept where nothing but the rows says what is in it."""
        detail = await self._views.detail(id_or_uuid, groups=not skip_groups, all_attempts=verbose)
        if detail is None and await self._own_writes.appeared(id_or_uuid):
            detail = await self._views.detail(id_or_uuid, groups=not skip_groups, all_attempts=verbose)
        if detail is None:
            raise workflow_not_found(id_or_uuid)
        waits = may_wait(detail)
        reasons = await self._pending.reasons_at_once(detail.workflow) if waits else {}
        answer = workflow_answer(detail, self._links, self._clock.now(), reasons)
        if waits:
            return _Answered(detail.workflow, answer)
        groups = Raw(_ENCODER.encode(answer.groups))
        answered = _Answered(detail.workflow, msgspec.structs.replace(answer, groups=groups))
        size = _ROW_BYTES + len(bytes(groups))
        self._answers.put((id_or_uuid, skip_groups, verbose), detail.workflow.last_seq, answered, size=size)
        return answered

    def _now(self, answered: "_Answered") -> WorkflowAnswer:
        """With what depends on the time and on the configuration."""
        row, now = answered.row, self._clock.now()
        owner, name = self._apps.origin(row.app_uuid)
        return msgspec.structs.replace(
            answered.answer,
            duration=duration_s(row.started_at, row.ended_at, now),
            queued_time=queued_s(row.submitted_at, row.started_at, row.ended_at, now),
            app_owner=owner,
            app_name=name,
            warnings=list(label_warnings(row.labels, self._estate.catalogue.workflow.labels_config)),
        )

    async def why(self, id_or_uuid: str) -> WhyAnswer:
        """Why each group waits that does, and what would start it now. Transient when the scheduler does not say."""
        row = await self.find(id_or_uuid)
        detail = await self._views.detail(row.workflow_id, groups=True, all_attempts=False)
        if detail is None:
            raise workflow_not_found(id_or_uuid)
        reasons = await self._pending.reasons(detail.workflow) if may_wait(detail) else {}
        groups = [
            WhyGroup(each.name, each.status, reasons[each.name]) for each in detail.groups if each.name in reasons
        ]
        return WhyAnswer(detail.workflow.workflow_id, detail.workflow.status, groups)

    async def page(self, wanted: WorkflowFilter) -> WorkflowListAnswer:
        """`limit` entries, encoded already, and whether there are more behind them."""
        page = await self._pages.get(wanted, partial(self._read_page, wanted))
        answer = WorkflowListAnswer(workflows=[], more_entries=page.more_entries)
        return msgspec.structs.replace(answer, workflows=Raw(page.entries.at(self._clock.now())))

    async def _read_page(self, wanted: WorkflowFilter) -> WorkflowPage:
        versions = await self._views.versions(msgspec.structs.replace(wanted, limit=wanted.limit + 1))
        entries = await self._entries_at(versions[: wanted.limit], wanted)
        return workflow_page(entries, more_entries=len(versions) > wanted.limit)

    async def _entries_at(self, versions: Sequence[tuple[str, int]], wanted: WorkflowFilter) -> list[Entry]:
        """What is kept at these versions, and the rest from the views. A workflow that has moved out of the filter by then is left out."""
        found = {name: self._kept_entry(name, version) for name, version in versions}
        missing = tuple(name for name, kept in found.items() if kept is None)
        if missing:
            of_these = msgspec.structs.replace(wanted, ids=missing, offset=0, limit=len(missing))
            for row in await self._views.workflows(of_these):
                found[row.workflow_id] = self._keep(row)
        return [entry for entry in found.values() if entry is not None]

    def _kept_entry(self, workflow_id: str, version: int) -> Entry | None:
        entry = self._entries.get(workflow_id, version)
        return entry if entry is not None and self._is_current(entry) else None

    def _keep(self, row: WorkflowSummary) -> Entry:
        entry = encoded_entry(row, self._links, self._apps.origin(row.app_uuid))
        self._entries.put(row.workflow_id, row.last_seq, entry, size=entry.size)
        return entry

    def _is_current(self, made: Entry | WorkflowPage) -> bool:
        """Apps are still called what they were called; everything else in it are the rows."""
        return all(self._apps.origin(uuid) == origin for uuid, origin in made.origins.items())
