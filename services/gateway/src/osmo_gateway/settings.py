"""Settings of the gateway (variables OSMO_*)."""

import ipaddress

from msgspec import Struct

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

    def check_access(self) -> None:
        """Refuse to let the network in without a login, unless somebody said so in words."""
        if self.dev_access is None and self.port is not None and not is_loopback(self.host):
            raise BadSettings(
                f"OSMO_HOST={self.host} is reachable by others, and anybody there could act as any user: "
                "use a loopback host, or set OSMO_DEV_ACCESS=1 if that is what you want"
            )

    @property
    def dev(self) -> bool:
        return self.dev_access if self.dev_access is not None else self.port is None or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
