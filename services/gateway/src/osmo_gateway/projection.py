"""Brings the read model up to the log, and tells who waits for it.

A batch is written all or nothing; one whose write failed is folded and written again. Whoever handed out the position of a new commit can
wait until it is visible here.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

import msgspec

from osmo_domain.errors import Poison, Stale, Transient
from osmo_domain.workflow.events import WORKFLOW_CODEC
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.ports import After, Blobs, EventLog, Recorded
from osmo_eventlog.subjects import WORKFLOWS, parse_workflow, workflow
from osmo_gateway.arrivals import Arrivals, Watchers
from osmo_views.folding import Folder, LoggedCommit
from osmo_views.ports import WorkflowViews

log = logging.getLogger("osmo.gateway.projection")

_EVERY_WORKFLOW = "osmo.workflow.>"
_BATCH = 1024

_PAUSE_S = 0.01
"""Between two writes, unless somebody waits for his own: what comes in a burst is written together, a hundred times a second at most. A transaction
costs as much as the rows of several commits."""

_LOOK_EVERY_S = 5.0
"""Between looks for rows that a crash of the database took."""


class Projection:
    """`seq` is the position up to which this gateway has seen its views written; `watchers` hear of workflows whose rows may have changed."""

    def __init__(self, event_log: EventLog, blobs: Blobs, views: WorkflowViews, watchers: Watchers) -> None:
        self._log = event_log
        self._blobs = blobs
        self._views = views
        self._folder = Folder(self._load)
        self._watchers = watchers
        self._arrivals = Arrivals()
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """The root loop: follow the log for ever, and once more from the checkpoint where a crash of the database took what was written."""
        while True:
            self._arrivals.arrive(await self._first_position())
            target = await self._log.last_seq(WORKFLOWS)
            self._mark_caught_up(target)
            try:
                async with asyncio.TaskGroup() as together:
                    together.create_task(self._follow(target))
                    together.create_task(self._look_after_rows())
            except* Stale as lost:
                log.warning("going back to the checkpoint", extra={"reason": str(lost.exceptions[0])})
                self._folder.forget()

    async def _follow(self, target: int) -> None:
        async with aclosing(self._log.follow(WORKFLOWS, [_EVERY_WORKFLOW], After(self.seq), batch=_BATCH)) as batches:
            async for batch in batches:
                await self._write_until_done(batch)
                self._mark_caught_up(target)
                await self._arrivals.nobody_waits(_PAUSE_S)

    async def _look_after_rows(self) -> None:
        """Ends with Stale when written rows are gone; without it that would show with the next commit only, which may be days away."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            seq = self.seq
            try:
                checkpoint = await self._views.checkpoint()
            except Transient:
                continue
            if checkpoint < seq:
                raise Stale(f"views are at {checkpoint}, and were at {seq}")

    @property
    def seq(self) -> int:
        return self._arrivals.seq

    async def reached(self, seq: int, *, within_s: float) -> bool:
        """Wait until the views hold this position; False when that takes too long."""
        return await self._arrivals.reached(seq, within_s=within_s)

    async def _first_position(self) -> int:
        """The checkpoint; views that are ahead of the log belong to another log and are dropped."""
        while True:
            try:
                checkpoint = await self._views.checkpoint()
                if checkpoint > await self._log.last_seq(WORKFLOWS):
                    log.warning("views are ahead of the log: rebuilding them", extra={"checkpoint": checkpoint})
                    await self._views.reset()
                    return 0
                return checkpoint
            except Transient as error:
                log.warning("views or log are away", extra={"error": str(error)})
                await asyncio.sleep(error.delay_s)

    def _mark_caught_up(self, target: int) -> None:
        if self.seq >= target:
            self.caught_up.set()

    async def _write_until_done(self, batch: Sequence[Recorded]) -> None:
        while True:
            try:
                commits = [one for record in batch if (one := await self._logged(record)) is not None]
                changes = await self._folder.fold(commits, last_seq=batch[-1].seq)
                changes.after_seq = self.seq
                await self._views.apply(changes)
                break
            except Transient as error:
                log.warning("projection is held up", extra={"error": str(error), "seq": batch[-1].seq})
                self._folder.forget()
                await asyncio.sleep(error.delay_s)
            except asyncio.CancelledError:
                self._folder.forget()
                raise
        self._arrivals.arrive(batch[-1].seq)
        self._watchers.tell(one.workflow_id for one in commits)

    async def _load(self, shard: int, workflow_id: str) -> list[LoggedCommit]:
        records = await self._log.load(workflow(shard, workflow_id))
        return [one for record in records if (one := await self._logged(record)) is not None]

    async def _logged(self, record: Recorded) -> LoggedCommit | None:
        """The commit of a message; None for bytes that are none, which are said and passed over."""
        subject = parse_workflow(record.subject)
        try:
            commit = WORKFLOW_CODEC.decode(record.data)
        except msgspec.DecodeError as error:
            log.error(
                "not a commit: passed over", extra={"subject": record.subject, "seq": record.seq, "error": str(error)}
            )
            return None
        try:
            commit = await hydrate(commit, self._blobs)
        except Poison as error:
            log.error("a plan is lost", extra={"subject": record.subject, "seq": record.seq, "error": str(error)})
        return LoggedCommit(record.seq, subject.shard, subject.workflow_id, commit)
