"""The shard as kept between terms: a shortcut past the beginning of the log, never the truth. One that cannot be read is passed over."""

import logging
from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from osmo_domain.clusters import Clusters
from osmo_domain.config import Catalogue
from osmo_domain.workflow.resting import encode_state
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


class _Frozen(Struct, frozen=True):
    """A KeptShard whose states are encoded already."""

    format: int
    positions: dict[str, Seq]
    entries: list[tuple[Seq, Seq, Raw]]
    clusters: Clusters
    leaving: list[Promise]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(KeptShard)


def snapshot_name(shard: int) -> str:
    return f"scheduler-{shard}"


def freeze(shard: Shard) -> bytes:
    """The shard between two rounds, when everything that is in it is also in the log."""
    entries = [(entry.seq, entry.order, _frozen(entry)) for entry in shard.aggregates]
    kept = _Frozen(FORMAT, shard.positions, entries, shard.book.clusters, shard.book.leaving())
    return _ENCODER.encode(kept)


def _frozen(entry: Entry) -> Raw:
    """States that rest are in their bytes already."""
    return Raw(entry.resting.state if entry.resting is not None else encode_state(entry.state)[0])


async def thaw(
    data: bytes | None, catalogue: Catalogue, owns: Callable[[str], bool], loader: Loader, *, rest_after: int
) -> Shard:
    """A shard from a snapshot, or an empty one. Nothing is indexed yet."""
    kept = _decode(data)
    if kept is None:
        return Shard(catalogue, owns, rest_after=rest_after)
    shard = Shard(catalogue, owns, kept.clusters, rest_after=rest_after)
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
