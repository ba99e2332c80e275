"""One answer for all who ask the same at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from osmo_domain.errors import Transient

V = TypeVar("V")

_WITHIN_S: Final = 5.0


class Shared(Generic[V]):
    """What the first who comes finds out, or that it failed, for everyone who holds this. Where the first one goes away, the next one asks."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._found: tuple[V] | None = None
        self._failure = ""

    async def get(self, ask: Callable[[], Awaitable[V]]) -> V:
        async with self._asking:
            if self._failure:
                raise Transient(self._failure)
            if self._found is None:
                self._found = (await self._ask(ask),)
            return self._found[0]

    async def _ask(self, ask: Callable[[], Awaitable[V]]) -> V:
        try:
            return await ask()
        except Transient as failure:
            self._failure = str(failure) or "it could not be read"
            raise


class Rounds(Generic[V]):
    """The same small question, asked again and again, one at a time. Whoever comes while it is on its way waits for the next one and shares it with
    all who came meanwhile: nobody gets an answer to a question that was asked before they came. Transient where it takes long."""

    def __init__(self, ask: Callable[[], Awaitable[V]]) -> None:
        self._ask = ask
        self._asking = asyncio.Lock()
        self._next: Shared[V] | None = None
        self.last: V | None = None
        """The newest answer that anybody got."""

    async def answer(self) -> V:
        ours = self._next = self._next or Shared()
        async with self._asking:
            if self._next is ours:
                self._next = None
            return await ours.get(self._ask_in_time)

    async def _ask_in_time(self) -> V:
        try:
            async with asyncio.timeout(_WITHIN_S):
                self.last = found = await self._ask()
                return found
        except TimeoutError as error:
            raise Transient("the read model does not answer") from error
