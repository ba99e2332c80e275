"""Which release this is, and what clients of other releases are told."""

import base64
import re
from typing import Final

from osmo_api.http import VersionAnswer
from osmo_domain.errors import Rejected

VERSION: Final = "6.4.0"
"""The release of the public API that we speak."""

ANSWER: Final = VersionAnswer(*VERSION.split("."))
_LATEST: Final = tuple(map(int, VERSION.split(".")))
_CLIENT: Final = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})(\.[a-zA-Z0-9]+)?")


def version_headers(client: str) -> dict[str, str]:
    """What an older client is told in the headers of its answer. Raises Rejected for a version that is none."""
    if client == VERSION:
        return {}
    found = _CLIENT.fullmatch(client)
    if found is None:
        raise Rejected("client.bad_version", f'"{client[:40]}" is not a client version.', error_code="OSMO_ERROR")
    if tuple(int(found[n]) for n in (1, 2, 3)) >= _LATEST:
        return {}
    warning = f"This client is version {client}; version {VERSION} is available."
    return {
        "x-osmo-service-version": VERSION,
        "x-osmo-warning": base64.b64encode(warning.encode()).decode(),
    }
