"""What a scheduler is told from outside: OSMO_* variables."""

from msgspec import Struct

from osmo_domain.workflow.resting import REST_AFTER


class SchedulerSettings(Struct, frozen=True):
    """Durations are seconds. `instance` names this scheduler over restarts: one that comes back under its name takes its own lease at once.

    `task_key_file` holds the key by which tasks prove to log-router who they are; log-router reads the same file.
    """

    nats_url: str = "nats://127.0.0.1:4222"
    shard: int = 0
    shards: int = 1
    instance: str = ""
    task_key_file: str = ""
    log_level: str = "INFO"
    lease_ttl_s: float = 10
    snapshot_commits: int = 5_000
    snapshot_every_s: float = 60
    rest_after: int = REST_AFTER
    """A workflow's state rests when so many events happened to others since."""
