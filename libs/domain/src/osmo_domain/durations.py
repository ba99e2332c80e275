"""Lengths of time as people write them: `90`, `30m`, `1h30m`, `1.5d`, `P1DT2H`."""

import math
import re
from typing import Final

from osmo_domain.errors import Rejected

_SECONDS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_NUMBER: Final = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_BARE: Final = re.compile(_NUMBER)
_PART: Final = re.compile(rf"({_NUMBER})(ms|us|d|h|m|s)")
_WHOLE: Final = re.compile(rf"(?:{_NUMBER}(?:ms|us|d|h|m|s))+")
_ISO: Final = re.compile(
    rf"P(?=[0-9T])(?:({_NUMBER})D)?(?:T(?=[0-9])(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?"
)
_ISO_SECONDS: Final = (86_400.0, 3_600.0, 60.0, 1.0)
_LONGEST_S: Final = 10_000 * 365 * 86_400.0


def parse_duration(written: str | int | float) -> float:
    """Seconds. A bare number is seconds; parts may be joined (`1h30m`). Anything else is refused with `duration.bad`."""
    seconds = float(written) if isinstance(written, int | float) else _from_text(written.strip())
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds <= _LONGEST_S:
        raise Rejected(
            "duration.bad",
            f'"{written}" is not a length of time like 90, 30m, 1h30m or P1DT2H.',
            error_code="USAGE",
        )
    return seconds


def _from_text(text: str) -> float | None:
    if _BARE.fullmatch(text):
        return float(text)
    if _WHOLE.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if found := _ISO.fullmatch(text):
        return sum(float(part) * unit for part, unit in zip(found.groups(), _ISO_SECONDS, strict=True) if part)
    return None
