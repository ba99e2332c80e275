"""One term of office: load the shard, catch up, decide until the lease is lost or the process is told to stop."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timedelta

from osmo_domain.config import Catalogue
from osmo_domain.errors import Transient
from osmo_eventlog import subjects
from osmo_eventlog.following import follow_catalogue
from osmo_eventlog.ports import After, Connection, Handler, Lease, Recorded, Seq
from osmo_scheduler.aggregates import Entry
from osmo_scheduler.effects import Effects
from osmo_scheduler.engine import Engine
from osmo_scheduler.inbox import Inbox
from osmo_scheduler.loading import Loader
from osmo_scheduler.questions import answer
from osmo_scheduler.settings import SchedulerSettings
from osmo_scheduler.shard import Shard
from osmo_scheduler.snapshot import freeze, snapshot_name, thaw
from osmo_scheduler.together import together
from osmo_service.backoff import until_done
from osmo_service.clock import Clock

log = logging.getLogger("osmo.scheduler.term")


class Term:
    """`in_office` is called when everything that lay in the streams has been taken in."""

    def __init__(
        self,
        settings: SchedulerSettings,
        connection: Connection,
        clock: Clock,
        rng: random.Random,
        *,
        lease: Lease,
        task_key: bytes,
        in_office: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._log = connection.log
        self._clock = clock
        self._rng = rng
        self._in_office = in_office
        self._catalogue = Catalogue.empty()
        self._loader = Loader(self._log, connection.blobs, rng, shard=settings.shard)
        self._inbox = Inbox()
        self._effects = Effects(
            self._log, connection.blobs, clock, rng, shard=settings.shard, epoch=lease.epoch, task_key=task_key
        )
        self._feeds = {
            subjects.WORKFLOWS: subjects.workflows_of_shard(settings.shard),
            subjects.REPORTS: subjects.reports_of_shard(settings.shard),
            subjects.CLUSTERS: subjects.cluster_of_backend("*"),
        }
        self._kept_commits = 0
        self._kept_at: datetime | None = None

    async def serve(self) -> None:
        """Returns never; raises what ended the term. A snapshot is left behind where the state allows it."""
        shard = await self._load()
        targets = {stream: await self._newest(stream) for stream in self._feeds}
        await self._replay(shard, targets[subjects.WORKFLOWS])
        engine = Engine(shard, self._inbox, self._loader, self._effects, self._clock, targets)
        try:
            await together(
                [
                    *(self._follow(shard, stream) for stream in self._feeds),
                    self._rounds(engine, shard),
                ]
            )
        finally:
            if engine.settled and engine.caught_up:
                await self._keep(shard)

    async def _load(self) -> Shard:
        name = snapshot_name(self._settings.shard)
        data = await until_done(lambda: self._connection.snapshots.get(name), what="snapshot", rng=self._rng)
        return await thaw(data, self._catalogue, self._owns, self._loader, rest_after=self._settings.rest_after)

    def _owns(self, backend: str) -> bool:
        return subjects.shard_of(backend, self._settings.shards) == self._settings.shard

    async def _newest(self, stream: str) -> Seq:
        subject = self._feeds[stream]
        last = await until_done(lambda: self._log.last(stream, subject), what=stream, rng=self._rng)
        return last.seq if last is not None else 0

    async def _replay(self, shard: Shard, target: Seq) -> None:
        """Fold what is behind the snapshot, deciding nothing: history first, then facts."""
        position = shard.positions.get(subjects.WORKFLOWS, 0)
        if position >= target:
            return
        moved: dict[str, Entry] = {}
        follower = self._log.follow(subjects.WORKFLOWS, [self._feeds[subjects.WORKFLOWS]], After(position))
        async with aclosing(follower) as batches:
            async for batch in batches:
                for record in batch:
                    await self._replay_one(shard, record, moved)
                shard.positions[subjects.WORKFLOWS] = batch[-1].seq
                if batch[-1].seq >= target:
                    break
        for entry in moved.values():
            shard.book.recall(entry.state)

    async def _replay_one(self, shard: Shard, record: Recorded, moved: dict[str, Entry]) -> None:
        commit = await self._loader.read(record)
        workflow_id = subjects.parse_workflow(record.subject).workflow_id
        entry = shard.aggregates.receive(workflow_id, record, commit) if commit is not None else None
        if entry is None:
            return
        moved[workflow_id] = entry
        if entry.over:
            shard.book.recall(entry.state)
            shard.aggregates.drop(entry)
            del moved[workflow_id]

    async def _follow(self, shard: Shard, stream: str) -> None:
        await self._inbox.follow(self._log, stream, [self._feeds[stream]], shard.positions.get(stream, 0))

    async def _rounds(self, engine: Engine, shard: Shard) -> None:
        pools_known = asyncio.Event()

        async def decide_for_ever() -> None:
            await pools_known.wait()
            await engine.take_office()
            async with self._connection.requests.serve(
                "scheduler", subjects.scheduler_questions(self._settings.shard), self._answers(shard)
            ):
                while True:
                    if engine.caught_up:
                        self._in_office()
                    await engine.next_round()
                    await self._keep_if_due(engine, shard)

        catalogue = follow_catalogue(self._log, self._catalogue, pools_known, engine.pools_changed)
        await together([catalogue, decide_for_ever()])

    def _answers(self, shard: Shard) -> Handler:
        async def reply(asked: bytes) -> bytes:
            return answer(shard, asked, self._clock)

        return reply

    async def _keep_if_due(self, engine: Engine, shard: Shard) -> None:
        """A snapshot after so many commits, but not too often."""
        now = self._clock.now()
        if self._kept_at is None:
            self._kept_at = now
        enough = engine.commits - self._kept_commits >= self._settings.snapshot_commits
        if engine.caught_up and enough and now - self._kept_at >= timedelta(seconds=self._settings.snapshot_every_s):
            self._kept_commits, self._kept_at = engine.commits, now
            await self._keep(shard)

    async def _keep(self, shard: Shard) -> None:
        try:
            await self._connection.snapshots.put(snapshot_name(self._settings.shard), freeze(shard))
        except Transient as error:
            log.warning("no snapshot was kept", extra={"why": str(error)})
