"""Pages of lists, kept for as long as the views stay where they are: between two changes, many who ask the same cost one reading.

The position is asked of the database for every answer (one small question for all who ask at that moment), so that a page is as fresh as if it had
been read, whichever gateway wrote what is in the views.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

from osmo_gateway.kept import Kept
from osmo_gateway.shared import Rounds, Shared


class Sized(Protocol):
    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        ...


P = TypeVar("P", bound=Sized)


class Pages(Generic[P]):
    """`position` asks how far the views are. What `is_current` refuses is read anew: it says what else than the views a page depends on."""

    def __init__(
        self, position: Rounds[int], *, most_bytes: int, is_current: Callable[[P], bool] = lambda _: True
    ) -> None:
        self._position = position
        self._is_current = is_current
        self._kept: Kept[P] = Kept(most_bytes)
        self._under_way: dict[tuple[Hashable, int], Shared[P]] = {}

    async def get(self, asked: Hashable, read: Callable[[], Awaitable[P]]) -> P:
        """The page that `read` gives, or gave at the position where the views are now."""
        position = await self._position.answer()
        page = self._kept.get(asked, position)
        while page is None or not self._is_current(page):
            page = await self._read(asked, position, read)
        return page

    async def _read(self, asked: Hashable, position: int, read: Callable[[], Awaitable[P]]) -> P:
        """Once for all who wait for it. What is read may be newer than the position, and is never used at a later one."""
        key = asked, position
        shared = self._under_way.setdefault(key, Shared())
        try:
            page = await shared.get(read)
        finally:
            if self._under_way.get(key) is shared:
                del self._under_way[key]
        self._kept.put(asked, position, page, size=page.size)
        return page
