"""Time, as handed to every service by its app.py. Nobody else reads a clock; sleeping goes through asyncio, whose loop may be virtual."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
