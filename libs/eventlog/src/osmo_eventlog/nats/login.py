"""How a client says who it is, where its URL does not say all of it: the login of an agent."""

import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from osmo_eventlog.agent_rights import inbox_prefix

_WITHIN_S = 6
"""Longer than nats-server's own limit for a login that it asks the gateway about (`authorization { timeout }`)."""


@dataclass(frozen=True, slots=True)
class AgentLogin:
    """`token_file` is read at every connect and reconnect, so that a token is changed by changing the file. `ca_file` is for TLS; empty = as usual.

    Without a token file the URL says it all: an installation whose server knows no agents.
    """

    backend: str
    token_file: Path | None
    ca_file: str = ""

    def options(self) -> dict[str, Any]:
        """For nats-py's `connect`."""
        found: dict[str, Any] = {"inbox_prefix": inbox_prefix(self.backend), "connect_timeout": _WITHIN_S}
        if self.token_file is not None:
            found["token"] = partial(_read, self.token_file)
        if self.ca_file:
            found["tls"] = ssl.create_default_context(cafile=self.ca_file)
        return found


def _read(token_file: Path) -> str:
    """An OSError where there is no such file, which is tried again as any failure to connect is."""
    return token_file.read_text(encoding="ascii").strip()
