"""Following that knows when it has caught up, and the two folds that several services keep: the catalogue (CONFIG) and the clusters (CLUSTERS)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import msgspec

from osmo_domain.cluster import ClusterFact
from osmo_domain.clusters import Clusters
from osmo_domain.commit import CommitCodec, UnknownEvent
from osmo_domain.config import CATALOGUE_KINDS, CONFIG_CODEC, Catalogue, apply_config
from osmo_domain.errors import Transient
from osmo_eventlog import subjects as s
from osmo_eventlog.ports import After, EventLog, LastPerSubject, OnlyNew, Recorded, Seq, Start

log = logging.getLogger("osmo.eventlog.following")

CLUSTER_CODEC: CommitCodec[ClusterFact] = CommitCodec(ClusterFact)

_FOLDED_KINDS = ("node", "registered", "heartbeat", "inventory")


async def follow_to_now(
    events: EventLog, stream: str, subjects: Sequence[str], start: Start, caught_up: asyncio.Event, *, batch: int = 512
) -> AsyncGenerator[Sequence[Recorded], None]:
    """`EventLog.follow`, which sets `caught_up` when everything that was there at the start has been handed over *and* the reader came back.

    Also when nothing was there. Work of the loop's body is therefore done for all of it by then.
    """
    target = await _newest_matching(events, stream, subjects, start)
    if target is None:
        caught_up.set()
    async with aclosing(events.follow(stream, subjects, start, batch=batch)) as batches:
        async for records in batches:
            yield records
            if target is not None and records[-1].seq >= target:
                target = None
                caught_up.set()


async def follow_catalogue(
    events: EventLog,
    catalogue: Catalogue,
    caught_up: asyncio.Event,
    on_change: Callable[[], None] = lambda: None,
) -> None:
    """Keep the catalogue equal to the CONFIG stream, for ever: a root loop. `on_change` is called after every batch that was folded."""
    async for records in follow_to_now(
        events, s.CONFIG, [s.config_of_kind(kind) for kind in CATALOGUE_KINDS], After(), caught_up
    ):
        for record in records:
            _fold_config(catalogue, record)
            catalogue.seq = record.seq
        on_change()


async def follow_clusters(
    events: EventLog,
    clusters: Clusters,
    caught_up: asyncio.Event,
    on_change: Callable[[], None] = lambda: None,
) -> None:
    """Keep what is known of nodes and agents equal to the CLUSTERS stream, for ever: a root loop. Facts about pods are not asked for.

    The last fact of each subject is its state, so history is not read. `on_change` is called after every batch that changed a node or
    told of an agent.
    """
    wanted = [f"osmo.cluster.*.{kind}.*" for kind in _FOLDED_KINDS]
    async for records in follow_to_now(events, s.CLUSTERS, wanted, LastPerSubject(), caught_up):
        for record in records:
            _fold_cluster(clusters, record)
        on_change()


def _fold_config(catalogue: Catalogue, record: Recorded) -> None:
    try:
        for event in CONFIG_CODEC.decode(record.data).events:
            if not isinstance(event, UnknownEvent):
                apply_config(catalogue, event)
    except msgspec.MsgspecError as error:
        _skip(record, error)


def _fold_cluster(clusters: Clusters, record: Recorded) -> None:
    try:
        commit = CLUSTER_CODEC.decode(record.data)
    except msgspec.MsgspecError as error:
        _skip(record, error)
        return
    backend = s.parse_cluster(record.subject).backend
    for event in commit.events:
        if not isinstance(event, UnknownEvent):
            clusters.see(backend, event, record.stored_at)


def _skip(record: Recorded, error: Exception) -> None:
    """History is true even where it is odd: a message that cannot be read is passed over, and said."""
    log.warning("a message cannot be read", extra={"stream": record.stream, "seq": record.seq, "error": str(error)})


async def _newest_matching(events: EventLog, stream: str, subjects: Sequence[str], start: Start) -> Seq | None:
    """The position up to which there is something to read at the start; None where there is nothing."""
    if isinstance(start, OnlyNew):
        return None
    newest = max([await _last_seq(events, stream, subject) for subject in subjects or [">"]])
    behind = start.seq if isinstance(start, After) else 0
    return newest if newest > behind else None


async def _last_seq(events: EventLog, stream: str, subject: str) -> Seq:
    while True:
        try:
            found = await events.last(stream, subject)
        except Transient as error:
            await asyncio.sleep(error.delay_s)
        else:
            return found.seq if found is not None else 0
