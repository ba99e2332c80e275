"""Amounts of memory and storage as people write them: `512Mi`, `1.5Gi`, `1073741824`.

Every unit is binary, as users of the reference know it: `G`, `Gi` and `GiB` are all 2^30 bytes.
"""

import re
from decimal import Decimal
from typing import Final

from osmo_domain.errors import Rejected

_QUANTITY: Final = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)([a-zA-Z]*)")
_POWERS: Final = {"m": -10, "": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_LARGEST: Final = 2**63 - 1

UNITS: Final = ("T", "Ti", "TiB", "G", "Gi", "GiB", "M", "Mi", "MiB", "K", "Ki", "KiB", "B", "m")


def parse_quantity(written: str | int | float) -> int:
    """Whole bytes, rounded down; a bare number is bytes. Anything else is refused with `quantity.bad`."""
    text = f"{written:f}" if isinstance(written, float) else str(written)
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise _bad(f'"{written}" is not an amount like 512Mi or 1.5Gi.')
    unit = found[2]
    if unit and unit not in UNITS:
        raise _bad(f'"{unit}" in "{written}" is not a unit; use one of {", ".join(UNITS)}.')
    amount = int(Decimal(found[1]) * Decimal(2) ** _POWERS[unit if unit in _POWERS else unit[0]])
    if amount > _LARGEST:
        raise _bad(f'"{written}" is more than can be counted.')
    return amount


def show_bytes(amount: int) -> str:
    """The largest unit that leaves a short number: `16Gi`, `1.5Gi`, `100Ki`, `12B`."""
    for unit, power in (("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)):
        if amount >= 1 << power:
            return f"{amount / (1 << power):.4g}{unit}"
    return f"{amount}B"


def _bad(message: str) -> Rejected:
    return Rejected("quantity.bad", message, error_code="RESOURCE")
