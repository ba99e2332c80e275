"""Settings of the gateway (variables OSMO_*)."""

import ipaddress
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from osmo_gateway.agent_manifest import Addresses
from osmo_service.settings import BadSettings


class Settings(Struct, frozen=True):
    """`port` None opens no socket (the simulation); 0 takes a free port. `base_url` is what links in answers start with.

    `dev_access` lets whoever connects say who they are (`x-osmo-user`); None means: on a loopback host only.
    """

    nats_url: str = "nats://127.0.0.1:4222"
    database_url: str = ""
    log_level: str = "INFO"
    host: str = "127.0.0.1"
    port: int | None = 8000
    base_url: str = ""
    dev_access: bool | None = None
    seed_file: str = ""
    nats_issuer_file: str = ""
    """The seed of the nkey that nats-server believes about agents (`auth_callout { issuer }`); empty = it does not ask us."""
    agent_login_s: float = 3600
    """After so long an agent logs in again, by itself: a token that was revoked while nobody could tell the server is good no longer."""
    agent_nats_url: str = ""
    """Where agents of other clusters find NATS; empty = `nats_url` without what is secret in it. Likewise the next two."""
    agent_log_router_url: str = ""
    agent_service_url: str = ""
    service_image: str = "osmo-service:latest"
    runtime_image: str = "osmo-runtime:latest"

    def check_access(self) -> None:
        """Refuse to let the network in without a login, unless somebody said so in words."""
        if self.dev_access is None and self.port is not None and not is_loopback(self.host):
            raise BadSettings(
                f"OSMO_HOST={self.host} is reachable by others, and anybody there could act as any user: "
                "use a loopback host, or set OSMO_DEV_ACCESS=1 if that is what you want"
            )

    def agent_addresses(self, base_url: str) -> Addresses:
        """What manifests of agents say, where a registration does not say otherwise."""
        return Addresses(
            nats_url=self.agent_nats_url or ",".join(map(_without_login, self.nats_url.split(","))),
            log_router_url=self.agent_log_router_url or base_url,
            service_url=self.agent_service_url or base_url,
            service_image=self.service_image,
            runtime_image=self.runtime_image,
        )

    @property
    def dev(self) -> bool:
        return self.dev_access if self.dev_access is not None else self.port is None or is_loopback(self.host)


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
