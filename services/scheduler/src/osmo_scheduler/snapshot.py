"""The shard as kept between terms: a shortcut past the beginning of the log, never the truth. One that cannot be read is passed over."""

import logging
from collections.abc import Callable

import msgspec
from msgspec import Struct

from osmo_domain.clusters import Clusters
from osmo_domain.config import Catalogue
from osmo_domain.workflow.state import Workflow
from osmo_eventlog.ports import Seq
from osmo_scheduler.aggregates import Entry
from osmo_scheduler.cluster_book import Promise
from osmo_scheduler.loading import Loader
from osmo_scheduler.shard import Shard

log = logging.getLogger("osmo.scheduler.snapshot")

FORMAT = 2


class KeptEntry(Struct, frozen=True, array_like=True):
    """`state` without its plan, where the plan is a blob."""

    seq: Seq
    order: Seq
    state: Workflow


class KeptShard(Struct, frozen=True):
    format: int
    positions: dict[str, Seq]
    entries: list[KeptEntry]
    clusters: Clusters
    leaving: list[Promise]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(KeptShard)


def snapshot_name(shard: int) -> str:
    return f"scheduler-{shard}"


def freeze(shard: Shard) -> bytes:
    """The shard between two rounds, when everything that is in it is also in the log."""
    plans = {}
    for entry in shard.aggregates:
        if entry.state.plan_blob:
            plans[entry.state.workflow_id], entry.state.plan = entry.state.plan, None
    try:
        entries = [KeptEntry(entry.seq, entry.order, entry.state) for entry in shard.aggregates]
        return _ENCODER.encode(KeptShard(FORMAT, shard.positions, entries, shard.book.clusters, shard.book.leaving()))
    finally:
        for workflow_id, plan in plans.items():
            entry_of = shard.aggregates.get(workflow_id)
            assert entry_of is not None
            entry_of.state.plan = plan


async def thaw(data: bytes | None, catalogue: Catalogue, owns: Callable[[str], bool], loader: Loader) -> Shard:
    """A shard from a snapshot, or an empty one. Nothing is indexed yet."""
    kept = _decode(data)
    if kept is None:
        return Shard(catalogue, owns)
    shard = Shard(catalogue, owns, kept.clusters)
    shard.positions.update(kept.positions)
    for promise in kept.leaving:
        shard.book.restore(promise)
    for entry in kept.entries:
        if entry.state.plan is None and entry.state.plan_blob:
            entry.state.plan = await loader.plan(entry.state.plan_blob)
        shard.aggregates.keep(Entry(entry.state, entry.seq, entry.order))
    return shard


def _decode(data: bytes | None) -> KeptShard | None:
    if data is None:
        return None
    try:
        kept = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        log.warning("the snapshot cannot be read; starting from the beginning of the log", extra={"why": str(error)})
        return None
    return kept if kept.format == FORMAT else None
