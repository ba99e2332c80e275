"""What HTTP says about registered backends: /api/backend. Not in the public API: its backends register themselves with a user's token."""

from datetime import datetime

from msgspec import Struct


class RegisterBody(Struct, forbid_unknown_fields=True):
    """Addresses are as the worker cluster reaches them; where they are empty, the installation's own are used."""

    description: str = ""
    namespace: str = "osmo"
    nats_url: str = ""
    log_router_url: str = ""
    service_url: str = ""
    service_image: str = ""
    runtime_image: str = ""


class RotateBody(Struct, forbid_unknown_fields=True):
    grace_s: float = 3600
    """How long the token that was used until now is good yet."""


class DeleteBody(Struct, forbid_unknown_fields=True):
    force: bool = False


class BackendTokenEntry(Struct, kw_only=True):
    token_id: str
    issued_at: datetime
    issued_by: str
    status: str
    """VALID, RETIRING (until `ends_at`), RETIRED or REVOKED."""
    ends_at: datetime | None = None
    revoked_at: datetime | None = None


class BackendEntry(Struct, kw_only=True):
    name: str
    description: str = ""
    status: str
    """ONLINE or OFFLINE."""
    last_heartbeat: datetime | None = None
    version: str = ""
    skew: str = ""
    """How the agent's version stands to the service's: same, near, far or foreign; empty where it never came."""
    warning: str | None = None
    cluster_uid: str = ""
    runtime: str = ""
    capabilities: list[str] = []
    nodes: int = 0
    gpus: int = 0
    pools: list[str] = []
    tokens: list[BackendTokenEntry] = []


class BackendsAnswer(Struct):
    backends: list[BackendEntry]


class TokenAnswer(Struct, kw_only=True):
    """The only time that the token is shown."""

    backend: str
    token_id: str
    token: str
    previous_end_at: datetime | None = None

    def __repr__(self) -> str:
        return f"TokenAnswer({self.backend!r}, {self.token_id!r})"


class RegisteredAnswer(Struct, kw_only=True):
    """`manifest` is what `kubectl apply` takes; the token is in it."""

    backend: str
    token_id: str
    token: str
    manifest: str

    def __repr__(self) -> str:
        return f"RegisteredAnswer({self.backend!r}, {self.token_id!r})"


class RevokedAnswer(Struct, kw_only=True):
    backend: str
    revoked: list[str]
    disconnected: int
    """Connections that were ended at once. Others end when their login is over."""
