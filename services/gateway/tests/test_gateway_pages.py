"""A page that is kept is what would be read now."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from osmo_gateway.pages import Pages
from osmo_gateway.shared import Rounds


class Text(Struct, frozen=True):
    text: str
    size: int = 100


class Views:
    """One text that changes, and how often it was read."""

    def __init__(self) -> None:
        self.number = 1
        self.text = "a"
        self.reads = 0
        self.while_reading: Callable[[], Awaitable[None]] | None = None

    def write(self, text: str) -> None:
        self.number, self.text = self.number + 1, text

    async def edition(self) -> int:
        return self.number if self.text else 0

    async def read(self) -> Text:
        self.reads += 1
        if self.while_reading is not None:
            meanwhile, self.while_reading = self.while_reading, None
            await meanwhile()
        return Text(self.text)


def pages_of(
    views: Views, *, most_bytes: int = 100_000, current: Callable[[Text], bool] = lambda _: True
) -> Pages[Text]:
    return Pages(Rounds(views.edition), most_bytes=most_bytes, is_current=current)


async def test_a_page_is_read_once_between_two_changes() -> None:
    views = Views()
    pages = pages_of(views)
    for text, reads in (("a", 1), ("b", 2), ("c", 3)):
        views.write(text)
        assert [(await pages.get("x", views.read)).text for _ in range(3)] == [text] * 3
        assert views.reads == reads


async def test_many_who_ask_at_once_after_a_change_share_one_reading() -> None:
    views = Views()
    pages = pages_of(views)
    await pages.get("x", views.read)
    views.write("b")
    found = await asyncio.gather(*(pages.get("x", views.read) for _ in range(20)))
    assert {page.text for page in found} == {"b"}
    assert views.reads == 2


async def test_a_page_that_was_read_while_something_was_written_is_not_used_later() -> None:
    views = Views()
    pages = pages_of(views)
    await pages.get("other", views.read)
    for asked in ("new", "new", "other"):

        async def written() -> None:
            views.write(views.text + "b")

        views.while_reading = written
        views.write(views.text + "a")
        await pages.get(asked, views.read)
        views.write(views.text + "c")
        assert (await pages.get(asked, views.read)).text == views.text


async def test_empty_views_are_not_kept() -> None:
    views = Views()
    views.write("")
    pages = pages_of(views)
    for _ in range(2):
        assert (await pages.get("x", views.read)).text == ""
    assert views.reads == 2


async def test_what_else_a_page_depends_on_makes_it_be_read_anew() -> None:
    views, names = Views(), {"a"}
    pages = pages_of(views, current=lambda page: page.text in names)
    assert (await pages.get("x", views.read)).text == "a"
    names.clear()

    async def named_again() -> None:
        names.add("a")

    views.while_reading = named_again
    assert (await pages.get("x", views.read)).text == "a"
    assert views.reads == 2


async def test_pages_that_are_too_many_are_read_each_time() -> None:
    views = Views()
    pages = pages_of(views, most_bytes=5_000)
    for n in range(6):
        await pages.get(n % 2, views.read)
    assert views.reads == 6
