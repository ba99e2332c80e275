"""Many small works, a few at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from osmo_storage.stored import StorageError

Item = TypeVar("Item")


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[None]], at_once: int) -> None:
    """Do `work` for every item. The first StorageError stops the rest and is raised. Memory does not grow with the number of items."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except* StorageError as errors:
        raise _first(errors) from None


def _first(group: BaseExceptionGroup[StorageError]) -> StorageError:
    found: StorageError | BaseExceptionGroup[StorageError] = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
