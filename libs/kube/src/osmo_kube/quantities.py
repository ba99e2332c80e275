"""Amounts as Kubernetes writes them: `250m`, `64`, `1.5Gi`, `128974848`, `1G`, `1e3`."""

from typing import Final

_POWERS: Final = {
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
}  # fmt: skip


def amount(written: str | int | float) -> float:
    """0 for what is no amount: the API server stores none such."""
    text = str(written)
    for cut in (2, 1):
        power = _POWERS.get(text[-cut:])
        if power is not None:
            return _number(text[:-cut]) * power
    return _number(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
