"""Amounts of a node as the API writes them (Kubernetes quantities), in the units that tables show."""

import math
import re
from typing import NamedTuple

_UNITS = {
    "": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")
GIB = 2**30


class Amounts(NamedTuple):
    """Storage and memory in GiB."""

    storage: int
    cpu: int
    memory: int
    gpu: int

    def at_most(self, capacity: "Amounts") -> "Amounts":
        return Amounts(*map(min, self, capacity))


def amounts(fields: dict[str, object], *, round_up: bool) -> Amounts:
    """What is used is rounded up, what there is is rounded down, so that a table never promises too much."""
    rounded = math.ceil if round_up else math.floor
    return Amounts(
        storage=rounded(number(fields.get("storage", 0)) / GIB),
        cpu=rounded(number(fields.get("cpu", 0))),
        memory=rounded(number(fields.get("memory", 0)) / GIB),
        gpu=rounded(number(fields.get("gpu", 0))),
    )


def number(quantity: object) -> float:
    """`500m` is 0.5, `2Ki` is 2048; 0 for what is no quantity."""
    found = _QUANTITY.fullmatch(str(quantity).strip())
    if found is None or found[2] not in _UNITS:
        return 0.0
    return float(found[1]) * _UNITS[found[2]]
