"""What one log-router knows of a workflow while somebody waits at a barrier of it: its state and which of its tasks have arrived."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime

from osmo_domain.commit import CommitCodec
from osmo_domain.report import TaskReported
from osmo_domain.workflow.barrier import Arrivals, Start, may_start
from osmo_domain.workflow.events import WORKFLOW_CODEC
from osmo_domain.workflow.evolve import apply_commit
from osmo_domain.workflow.state import Workflow
from osmo_eventlog import subjects
from osmo_eventlog.following import follow_to_now
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.ports import After, Blobs, EventLog
from osmo_service.backoff import until_done

REPORT_CODEC: CommitCodec[TaskReported] = CommitCodec(TaskReported)


class BarrierWatch:
    """`decide` is called once both streams have been read up to now, and after everything that may have changed an answer."""

    def __init__(
        self,
        workflow_id: str,
        shard: int,
        events: EventLog,
        blobs: Blobs,
        rng: random.Random,
        decide: Callable[[], Awaitable[None]],
    ) -> None:
        self._workflow_id = workflow_id
        self._shard = shard
        self._events = events
        self._blobs = blobs
        self._rng = rng
        self._decide = decide
        self._state: Workflow | None = None
        self._arrivals = Arrivals()
        self._changed = asyncio.Event()
        self._stopped = asyncio.Event()

    def may_start(self, group: str, count: int, now: datetime) -> bool:
        """False for a group that the workflow does not have."""
        state = self._state
        return state is not None and group in state.groups and may_start(state, group, self._arrivals, now, count=count)

    def arrived(self, task: str) -> Start | None:
        return self._arrivals.of(task)

    def look(self) -> None:
        """Somebody new waits."""
        self._stopped.clear()
        self._changed.set()

    def stop(self) -> None:
        """Nobody waits any more; unless somebody comes before this is noticed."""
        self._stopped.set()
        self._changed.set()

    async def run(self) -> None:
        """Until stopped."""
        folded, heard = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as both:
            following = [both.create_task(self._fold(folded)), both.create_task(self._hear(heard))]
            await folded.wait()
            await heard.wait()
            await self._decide()
            while not self._stopped.is_set():
                await self._changed.wait()
                self._changed.clear()
                await self._decide()
            for task in following:
                task.cancel()

    async def _fold(self, caught_up: asyncio.Event) -> None:
        subject = subjects.workflow(self._shard, self._workflow_id)
        async with aclosing(follow_to_now(self._events, subjects.WORKFLOWS, [subject], After(), caught_up)) as batches:
            async for records in batches:
                for record in records:
                    await self._fold_one(record.data)
                self._changed.set()

    async def _fold_one(self, data: bytes) -> None:
        commit = WORKFLOW_CODEC.decode(data)
        whole = await until_done(lambda: hydrate(commit, self._blobs), what=self._workflow_id, rng=self._rng)
        self._state = apply_commit(self._state, whole)

    async def _hear(self, caught_up: asyncio.Event) -> None:
        subject = subjects.reports_of_workflow(self._shard, self._workflow_id)
        async with aclosing(follow_to_now(self._events, subjects.REPORTS, [subject], After(), caught_up)) as batches:
            async for records in batches:
                decoded = [event for record in records for event in REPORT_CODEC.decode(record.data).events]
                if self._arrivals.see(each for each in decoded if isinstance(each, TaskReported)):
                    self._changed.set()
