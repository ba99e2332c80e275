"""What a log-router is told from outside: OSMO_* variables."""

from msgspec import Struct

NO_SOCKET = -1


class LogRouterSettings(Struct, frozen=True):
    """`log_router_port` 0 = any free one, -1 = no socket (sessions come through `App.router`).

    `task_key_file` holds the key of the tasks' tokens, the same file that the scheduler has. Without it every control container is
    believed, which `accept_unproven_tasks` has to allow.
    """

    nats_url: str = "nats://127.0.0.1:4222"
    log_level: str = "INFO"
    log_router_host: str = "127.0.0.1"
    log_router_port: int = 8010
    task_key_file: str = ""
    accept_unproven_tasks: bool = False
