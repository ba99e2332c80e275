"""Streams as osmo_eventlog.streams declares them, made or brought up to date at start (style P3, P7)."""

from collections.abc import Sequence

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from osmo_eventlog.nats.connection import NatsConnection
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, STREAM_NAME_IN_USE, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.retrying import Deadline
from osmo_eventlog.streams import BUCKETS, STREAMS, StreamSpec


async def apply_streams(
    connection: NatsConnection, streams: Sequence[StreamSpec] = STREAMS, *, replicas: int = 1
) -> None:
    """Every stream exists as declared when this returns. Harmless to repeat, also by several processes at once."""
    for spec in (*streams, *BUCKETS):
        await _apply(connection.link, stream_config(spec, replicas))


def stream_config(spec: StreamSpec, replicas: int) -> StreamConfig:
    """Facts are refused at a limit, never dropped; every read is the leader's (no direct access)."""
    return StreamConfig(
        name=spec.name,
        subjects=list(spec.subjects),
        retention=RetentionPolicy.WORK_QUEUE if spec.work_queue else RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD if spec.discard_old else DiscardPolicy.NEW,
        max_age=spec.max_age_s,
        max_msgs=spec.max_msgs or -1,
        max_msgs_per_subject=spec.max_msgs_per_subject or -1,
        duplicate_window=spec.duplicate_window_s,
        deny_delete=spec.deny_delete,
        allow_msg_ttl=spec.message_ttl or None,
        allow_direct=False,
        storage=StorageType.FILE,
        num_replicas=replicas,
    )


async def _apply(link: Link, config: StreamConfig) -> None:
    deadline = Deadline(link)
    while True:
        await deadline.joined()
        try:
            await link.js.add_stream(config)
        except LIBRARY_ERRORS as error:
            if getattr(error, "err_code", None) == STREAM_NAME_IN_USE:
                return await _update(link, config)
            await deadline.again(translate(error, f"stream {config.name}"), error)
        else:
            return None


async def _update(link: Link, config: StreamConfig) -> None:
    try:
        await link.js.update_stream(config)
    except LIBRARY_ERRORS as error:
        raise translate(error, f"stream {config.name}") from error
