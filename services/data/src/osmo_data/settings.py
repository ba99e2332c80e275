"""What the data service is told from outside: OSMO_* variables."""

import os
from pathlib import Path

from msgspec import Struct


class DataSettings(Struct, frozen=True):
    """`data_root` is where tasks' outputs are kept, always allowed. `data_allowed_roots` are further directories that `file://` URIs may name,
    separated as in PATH; empty = everything, as fits tasks that run as the same person on the same machine.

    `credential_key_file` holds the keys that credentials are encrypted with (64 hex digits per line, the newest first); empty = this installation
    keeps no credentials. `task_key_file` holds the key of the tasks' tokens, the same file that scheduler and log-router have.

    `secrets_dir` is where secrets that the configuration names (`secret_file`, `secretName`) are found; empty = `secret_file` is an absolute path.
    `ambient_storage`: a user without keys for a place is checked there as whoever this process is to the cloud; only where tasks are that, too.
    """

    nats_url: str = "nats://127.0.0.1:4222"
    log_level: str = "INFO"
    data_root: str = ""
    data_allowed_roots: str = ""
    credential_key_file: str = ""
    task_key_file: str = ""
    secrets_dir: str = ""
    ambient_storage: bool = False

    def roots(self) -> tuple[Path, ...]:
        """Empty = everything is allowed."""
        if not self.data_allowed_roots:
            return ()
        named = [self.data_root, *self.data_allowed_roots.split(os.pathsep)]
        return tuple(Path(root).resolve() for root in named if root)
