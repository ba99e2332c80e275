"""Keeps what clusters say about pods (CLUSTERS, `PodsSeen.events`) where `workflow events` finds it. Nothing is decided from it."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct

from osmo_domain.cluster import PodEvent
from osmo_domain.errors import Transient
from osmo_eventlog.ports import After, EventLog, Recorded, Seq
from osmo_eventlog.subjects import CLUSTERS
from osmo_gateway.arrivals import Arrivals, Watchers
from osmo_views.pod_events import PodEventRow, PodEventViews
from osmo_views.row_making import storable_text

log = logging.getLogger("osmo.gateway.pod_events")

_PODS = "osmo.cluster.*.pods.*"
_BATCH = 512
_CHECKPOINT_EVERY = 10_000
"""Most messages bring no event: the checkpoint follows them in steps."""


class _Seen(Struct):
    """Of a fact about a cluster only what is shown; pods themselves are passed over while decoding."""

    events: tuple[PodEvent, ...] = ()


class _Commit(Struct):
    events: list[_Seen]


_DECODER = msgspec.json.Decoder(_Commit)


class PodEventProjection:
    """`keep` tells how many events an attempt may have; `watchers` hear of workflows with new ones."""

    def __init__(self, event_log: EventLog, views: PodEventViews, watchers: Watchers, keep: Callable[[], int]) -> None:
        self._log = event_log
        self._views = views
        self._watchers = watchers
        self._keep = keep
        self._stored: Seq = 0
        self.arrivals = Arrivals()

    async def run(self) -> None:
        """The root loop: follow the log for ever."""
        self._stored = await self._first_position()
        self.arrivals.arrive(self._stored)
        async for batch in self._log.follow(CLUSTERS, [_PODS], After(self._stored), batch=_BATCH):
            rows = [row for record in batch for row in _rows(record)]
            last_seq = batch[-1].seq
            if rows or last_seq >= self._stored + _CHECKPOINT_EVERY:
                await self._write_until_done(rows, last_seq)
            self.arrivals.arrive(last_seq)
            self._watchers.tell(row.workflow_id for row in rows)

    async def caught_up(self, backend: str, *, within_s: float) -> bool:
        """Wait until everything is here that this backend's agent has said by now."""
        last = await self._log.last(CLUSTERS, f"osmo.cluster.{backend}.pods.*")
        return last is None or await self.arrivals.reached(last.seq, within_s=within_s)

    async def _first_position(self) -> Seq:
        """The checkpoint; rows of another log are dropped."""
        while True:
            try:
                checkpoint = await self._views.checkpoint()
                if checkpoint <= await self._log.last_seq(CLUSTERS):
                    return checkpoint
                log.warning("pod events are ahead of the log: dropping them", extra={"checkpoint": checkpoint})
                await self._views.reset()
                return 0
            except Transient as error:
                log.warning("views or log are away", extra={"error": str(error)})
                await asyncio.sleep(error.delay_s)

    async def _write_until_done(self, rows: Sequence[PodEventRow], last_seq: Seq) -> None:
        while True:
            try:
                await self._views.apply(rows, last_seq=last_seq, keep=self._keep())
                self._stored = last_seq
                return
            except Transient as error:
                log.warning("pod events are held up", extra={"error": str(error), "seq": last_seq})
                await asyncio.sleep(error.delay_s)


def _rows(record: Recorded) -> Iterator[PodEventRow]:
    try:
        commit = _DECODER.decode(record.data)
    except msgspec.DecodeError as error:
        log.error("a fact cannot be read: passed over", extra={"seq": record.seq, "error": str(error)})
        return
    events = [event for seen in commit.events for event in seen.events]
    for ordinal, event in enumerate(events):
        yield PodEventRow(
            seq=record.seq,
            ordinal=ordinal,
            workflow_id=event.workflow_id,
            task=event.task,
            retry_id=event.retry_id,
            at=event.at,
            reason=storable_text(event.reason),
            message=storable_text(event.message),
        )
