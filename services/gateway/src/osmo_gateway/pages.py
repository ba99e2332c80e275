"""Pages of lists, kept for as long as the views stay as they are: between two changes, many who ask the same cost one reading.

The edition of the views is asked of the database for every answer (one small question for all who ask at that moment), so that a page is as fresh as
if it had been read, whichever gateway wrote what is in the views.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, Protocol, TypeVar

from osmo_gateway.kept import Kept
from osmo_gateway.shared import Rounds, Shared

_ASKED_BYTES: Final = 4_000
"""What a page takes besides itself, so that many empty ones are many too: what was asked may be as long as a URL."""


class Sized(Protocol):
    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        ...


P = TypeVar("P", bound=Sized)


class Pages(Generic[P]):
    """`edition` asks for that of the views. What `is_current` refuses is read anew: it says what else than the views a page depends on."""

    def __init__(
        self, edition: Rounds[int], *, most_bytes: int, is_current: Callable[[P], bool] = lambda _: True
    ) -> None:
        self._edition = edition
        self._is_current = is_current
        self._kept: Kept[P] = Kept(most_bytes)
        self._under_way: dict[tuple[Hashable, int], Shared[P]] = {}

    async def get(self, asked: Hashable, read: Callable[[], Awaitable[P]]) -> P:
        """The page that `read` gives, or gave when the views were what they are now."""
        if asked not in self._kept and self._edition.last:
            return await self._read_first(asked, self._edition.last, read)
        edition = await self._edition.answer()
        page = self._kept.get(asked, edition)
        while page is None or not self._is_current(page):
            page = await self._read(asked, edition, read)
        return page

    async def _read_first(self, asked: Hashable, edition: int, read: Callable[[], Awaitable[P]]) -> P:
        """What nobody asked for lately is read without a question before it. It is used again only if the views are still what they were before."""
        page = await read()
        self._keep(asked, edition, page)
        return page

    async def _read(self, asked: Hashable, edition: int, read: Callable[[], Awaitable[P]]) -> P:
        """Once for all who wait for it. What is read may be newer than the edition, and is never used in a later one."""
        key = asked, edition
        shared = self._under_way.setdefault(key, Shared())
        try:
            page = await shared.get(read)
        finally:
            if self._under_way.get(key) is shared:
                del self._under_way[key]
        self._keep(asked, edition, page)
        return page

    def _keep(self, asked: Hashable, edition: int, page: P) -> None:
        """Empty views are not kept: they may be so twice, and have been filled in between."""
        if edition:
            self._kept.put(asked, edition, page, size=page.size + _ASKED_BYTES)
