"""What the submit service is told from outside: OSMO_* variables."""

from msgspec import Struct


class SubmitSettings(Struct, frozen=True):
    """`render_seconds` is CPU time of one rendering; `render_memory_bytes` comes on top of what a worker needs for itself."""

    nats_url: str = "nats://127.0.0.1:4222"
    log_level: str = "INFO"
    shards: int = 1
    render_workers: int = 2
    render_seconds: float = 0.5
    render_memory_bytes: int = 100 * 1024 * 1024
