"""One inbox for all answers that this client waits for.

Why our own, and not the `request` of nats-py: a question whose connection breaks is answered by nobody, and there it waits for its whole timeout.
Here it ends at once, so that whoever retries goes on as soon as the server is back.
"""

import asyncio
import itertools

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from osmo_eventlog.nats.wire import NO_RESPONDERS, status_of


class Asking:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = ""
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Future[Msg]] = {}

    async def open(self) -> None:
        """Once connected: only then the client knows where it may listen."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self._inbox}.*", cb=self._on_answer)

    async def ask(self, subject: str, data: bytes, *, timeout_s: float, headers: dict[str, str] | None = None) -> Msg:
        """The first answer. Raises what nats-py raises: timeout, no responders, stale connection (the outcome is unknown) ..."""
        loop = asyncio.get_running_loop()
        reply = f"{self._inbox}.{next(self._numbers)}"
        answer: asyncio.Future[Msg] = loop.create_future()
        self._waiting[reply] = answer
        timer = loop.call_later(timeout_s, _fail, answer, nats.errors.TimeoutError())
        try:
            await self._client.publish(subject, data, reply=reply, headers=headers)
            return await answer
        finally:
            timer.cancel()
            del self._waiting[reply]
            answer.cancel()

    def lose(self) -> None:
        """The connection broke: nothing that is waited for will come."""
        for answer in self._waiting.values():
            _fail(answer, nats.errors.StaleConnectionError())

    async def _on_answer(self, message: Msg) -> None:
        answer = self._waiting.get(message.subject)
        if answer is None or answer.done():
            return
        if status_of(message) == NO_RESPONDERS:
            answer.set_exception(nats.errors.NoRespondersError())
        else:
            answer.set_result(message)


def _fail(answer: asyncio.Future[Msg], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
