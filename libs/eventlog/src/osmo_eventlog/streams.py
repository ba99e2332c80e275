"""Every stream and durable consumer of the installation. Applied once at start (`apply_streams`); services only bind.

Fact streams never drop old messages silently: they refuse new ones at their limit (discard new) and have no age limit while their facts
are the only copy. What is kept for days (REPORTS, CLUSTERS) has been folded into commits by then.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from osmo_eventlog import subjects as s
from osmo_eventlog.matching import matches_any

DAY_S = 24 * 3600

MAX_MESSAGE_BYTES = 1024 * 1024 - 8192
"""Of one message's data: the server's default limit, less room for headers."""

MAX_ACK_PENDING = 4096
"""Messages of one durable consumer that may be out at once."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """`max_age_s` 0 = for ever; `max_msgs_per_subject` 0 = no limit; `work_queue` = a message is gone when it is acknowledged."""

    name: str
    subjects: tuple[str, ...]
    max_age_s: float = 0
    max_msgs_per_subject: int = 0
    discard_old: bool = False
    work_queue: bool = False
    deny_delete: bool = True
    duplicate_window_s: float = 120
    max_msgs: int = 0
    """0 = no limit. A full stream refuses."""
    message_ttl: bool = False
    """Messages may carry their own time to live."""


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """A durable pull consumer. `ack_wait_s` is per message from delivery."""

    stream: str
    durable: str
    subjects: tuple[str, ...]
    ack_wait_s: float = 30
    max_ack_pending: int = MAX_ACK_PENDING
    max_deliver: int = -1
    backoff_s: tuple[float, ...] = field(default=())


STREAMS: tuple[StreamSpec, ...] = (
    StreamSpec(s.WORKFLOWS, ("osmo.workflow.*.*",)),
    StreamSpec(s.REPORTS, ("osmo.report.*.*.*",), max_age_s=7 * DAY_S),
    StreamSpec(s.CLUSTERS, ("osmo.cluster.*.*.*",), max_age_s=7 * DAY_S),
    StreamSpec(s.COMMANDS, ("osmo.command.*",), work_queue=True, deny_delete=False),
    StreamSpec(s.LOGS, ("osmo.log.*.*.*",)),
    StreamSpec(s.CONFIG, ("osmo.config.*.*",)),
    StreamSpec(s.NAMES, ("osmo.name.*",), max_msgs_per_subject=1, discard_old=True, deny_delete=False),
)

BLOB_BUCKET = "BLOBS"
LEASE_BUCKET = "LEASES"
SNAPSHOT_BUCKET = "SNAPSHOTS"

BUCKETS: tuple[StreamSpec, ...] = (
    StreamSpec(BLOB_BUCKET, ("osmo.blob.*.*",), max_msgs_per_subject=1, discard_old=True, deny_delete=False),
    StreamSpec(
        LEASE_BUCKET, ("osmo.lease.*",), max_msgs_per_subject=1, discard_old=True, deny_delete=False, message_ttl=True
    ),
    StreamSpec(
        SNAPSHOT_BUCKET,
        ("osmo.snapshot.*", "osmo.snapshot.*.*.*"),
        max_msgs_per_subject=1,
        discard_old=True,
        deny_delete=False,
    ),
)
"""What the NATS adapter keeps blobs, leases and snapshots in. Nobody else appends there."""


def stream_of(subject: str, specs: Iterable[StreamSpec]) -> str:
    """The stream that holds the subject (which may hold wildcards of the same shape). LookupError where there is none."""
    for spec in specs:
        if matches_any(spec.subjects, subject):
            return spec.name
    raise LookupError(f"no stream holds {subject}")


def command_consumer(backend: str) -> ConsumerSpec:
    """The agent's durable: one per backend, in order, redelivered until acknowledged.

    The wait is short: in the seconds after a link broke the server may still deliver to the connection that is gone, and what it delivers
    there starts only after this wait. Who works on a command for longer says so.
    """
    return ConsumerSpec(s.COMMANDS, f"agent-{backend}", (s.command(backend),), ack_wait_s=10)
