"""What `kubectl apply` makes of a cluster to give it an agent: `agent.yaml`, with the values of one backend put in.

k8s/base/agent has the same account, rights and pod for those who use kustomize; a test compares the two.
"""

import json
import re
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from osmo_api.backends import RegisterBody
from osmo_domain.errors import Rejected

_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SCHEMES: Final = {
    "nats_url": ("nats", "tls", "ws", "wss"),
    "log_router_url": ("http", "https"),
    "service_url": ("http", "https"),
}
_IMAGE: Final = re.compile(r"[\w.:/@-]{1,500}", re.ASCII)


class Addresses(Struct, frozen=True):
    """Where a worker cluster finds the installation, and what it runs."""

    nats_url: str
    log_router_url: str
    service_url: str
    service_image: str
    runtime_image: str
    namespace: str = "osmo"

    def but(self, body: RegisterBody) -> "Addresses":
        """With what the registration says otherwise. Rejected where an address is none."""
        given = {name: value for name in self.__struct_fields__ if (value := getattr(body, name))}
        found = msgspec.structs.replace(self, **given)
        found.check()
        return found

    def check(self) -> None:
        for name, schemes in _SCHEMES.items():
            value = getattr(self, name)
            for part in value.split(",") if name == "nats_url" else (value,):
                _check_url(name, part, schemes)
        for name in ("service_image", "runtime_image"):
            if not _IMAGE.fullmatch(getattr(self, name)):
                raise Rejected("backend.image", f"{name} is not the name of an image.")
        if not _NAMESPACE.fullmatch(self.namespace):
            raise Rejected("backend.namespace", f"{self.namespace[:100]!r} cannot be the name of a namespace.")


def _check_url(name: str, value: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(value)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.username is None
    except ValueError:
        good = False
    if not good or not value.isprintable():
        raise Rejected(
            "backend.address",
            f"{name} {value[:200]!r} is not the address of a host: {'://, '.join(schemes)}:// without user or password.",
        )


def manifest(backend: str, token: str, addresses: Addresses) -> str:
    """The file, complete. Values stand in it as JSON strings, which YAML reads as they are."""
    values = {"BACKEND": backend, "TOKEN": token} | {
        name.upper(): getattr(addresses, name) for name in addresses.__struct_fields__
    }
    text = files(__name__).joinpath("agent.yaml").read_text(encoding="utf-8")
    return re.sub(r"<([A-Z_]+)>", lambda found: json.dumps(values[found[1]]), text)
