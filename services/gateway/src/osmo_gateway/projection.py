"""Brings the read model up to the log, and tells who waits for it.

A batch is written all or nothing; one whose write failed is folded and written again. Whoever handed out the position of a new commit can
wait until it is visible here.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager

import msgspec

from osmo_domain.errors import Poison, Stale, Transient
from osmo_domain.workflow.events import WORKFLOW_CODEC
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.ports import After, Blobs, EventLog, Recorded
from osmo_eventlog.subjects import WORKFLOWS, parse_workflow, workflow
from osmo_views.folding import Folder, LoggedCommit
from osmo_views.ports import WorkflowViews

log = logging.getLogger("osmo.gateway.projection")

_EVERY_WORKFLOW = "osmo.workflow.>"
_BATCH = 1024

_LOOK_EVERY_S = 5.0
"""Between looks for rows that a crash of the database took."""


class Projection:
    """`seq` is the position up to which this gateway has seen its views written."""

    def __init__(self, event_log: EventLog, blobs: Blobs, views: WorkflowViews) -> None:
        self._log = event_log
        self._blobs = blobs
        self._views = views
        self._folder = Folder(self._load)
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self.seq = 0
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """The root loop: follow the log for ever, and once more from the checkpoint where a crash of the database took what was written."""
        while True:
            self.seq = await self._first_position()
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

    async def reached(self, seq: int, *, within_s: float) -> bool:
        """Wait until the views hold this position; False when that takes too long."""
        if self.seq >= seq:
            return True
        arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, arrival))
        try:
            async with asyncio.timeout(within_s):
                await arrival
        except TimeoutError:
            return False
        finally:
            self._waiting = [entry for entry in self._waiting if entry[1] is not arrival]
        return True

    @contextmanager
    def watching(self, workflow_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever rows of this workflow may have changed; the watcher clears it."""
        event = asyncio.Event()
        self._watchers.setdefault(workflow_id, set()).add(event)
        try:
            yield event
        finally:
            left = self._watchers[workflow_id]
            left.discard(event)
            if not left:
                del self._watchers[workflow_id]

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
        self._arrive(batch[-1].seq, {one.workflow_id for one in commits})

    def _arrive(self, seq: int, changed: set[str]) -> None:
        self.seq = seq
        for wanted, arrival in self._waiting:
            if wanted <= seq and not arrival.done():
                arrival.set_result(None)
        for workflow_id in changed & self._watchers.keys():
            for event in self._watchers[workflow_id]:
                event.set()

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
