"""Whether a node may be used: what its backend's rules say of the node's conditions (spec 4.5)."""

import re
from collections.abc import Mapping
from typing import Final

READY: Final = "Ready"


def usable(statuses: Mapping[str, str], rules: Mapping[str, str]) -> bool:
    """`statuses` maps each condition's type to `True`, `False` or `Unknown`. A rule's pattern matches types from their start, and the status
    that it allows as a whole; of several rules for one type, one is enough. `Ready` must be `True` whatever they say."""
    if statuses.get(READY) != "True":
        return False
    return all(_allowed(kind, status, rules) for kind, status in statuses.items())


def _allowed(kind: str, status: str, rules: Mapping[str, str]) -> bool:
    allowed = [wanted for pattern, wanted in rules.items() if re.match(pattern, kind)]
    return not allowed or any(re.fullmatch(wanted, status) for wanted in allowed)
