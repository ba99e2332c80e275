"""Cancellation that is never lost.

nats-py waits for answers with `asyncio.wait_for`, which before Python 3.12 drops a cancellation that comes together with the answer. A reader
that is cancelled just then would read on for ever, and whoever waits for its end would wait as long.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def heeding_cancellation(call: Coroutine[Any, Any, T]) -> T:
    """What the call returns. Cancelled, this ends at once; the call goes on by itself, and what becomes of it is nobody's concern."""
    running = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.add_done_callback(_let_be)
        raise


def _let_be(ended: asyncio.Future[Any]) -> None:
    """Take note of a failure, so that nothing complains that nobody did."""
    if not ended.cancelled():
        ended.exception()
