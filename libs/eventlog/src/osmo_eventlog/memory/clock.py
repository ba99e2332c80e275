"""Time, as the twin needs it (osmo_service.clock.Clock fits)."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...
