"""Lengths of time in config objects: texts such as `5d`, empty where the installation's value holds."""

from decimal import Decimal

from osmo_domain.durations import parse_duration


def length_or_none(text: str) -> float | None:
    """Seconds; None for the empty text. Refused with `duration.bad`."""
    return parse_duration(text) if text else None


def length_text(seconds: float | None) -> str:
    """`5d`, `90m`, `45s`; empty for None."""
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{Decimal(repr(seconds)):f}s"  # every digit, and never an exponent
