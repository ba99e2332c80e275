"""Reads of single stored messages, answered by the stream's leader (`STREAM.MSG.GET`), so that everyone reads their own writes (style P14)."""

import json

from osmo_eventlog.nats.errors import LIBRARY_ERRORS, NO_MESSAGE, ApiRefusal, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.retrying import Deadline
from osmo_eventlog.nats.wire import GET_ANSWER, StoredMessage
from osmo_eventlog.ports import Recorded, Seq


class StoredMessages:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def last(self, stream: str, subject: str) -> StoredMessage | None:
        """The newest message of the subject, which may hold wildcards."""
        return await self._get(stream, {"last_by_subj": subject})

    async def next(self, stream: str, subject: str, at_least: Seq) -> StoredMessage | None:
        """The first message of the subject (which may hold wildcards) at or behind the position."""
        return await self._get(stream, {"seq": at_least, "next_by_subj": subject})

    async def walk(self, stream: str, subject: str, *, after: Seq, limit: int | None = None) -> list[Recorded]:
        """Up to `limit` messages behind `after` (None = all), one request each: right for the few that an aggregate has."""
        found: list[Recorded] = []
        position = after
        while limit is None or len(found) < limit:
            message = await self.next(stream, subject, position + 1)
            if message is None:
                break
            found.append(message.recorded(stream))
            position = message.seq
        return found

    async def _get(self, stream: str, request: dict[str, object]) -> StoredMessage | None:
        body = json.dumps(request).encode()
        deadline = Deadline(self._link)
        while True:
            await deadline.joined()
            try:
                return await self._answered(stream, body)
            except LIBRARY_ERRORS as error:
                await deadline.again(translate(error, f"read of {stream}"), error)

    async def _answered(self, stream: str, body: bytes) -> StoredMessage | None:
        subject = f"$JS.API.STREAM.MSG.GET.{stream}"
        reply = await self._link.asking.ask(subject, body, timeout_s=self._link.attempt_s)
        answer = GET_ANSWER.decode(reply.data)
        if answer.error is not None and answer.error.err_code != NO_MESSAGE:
            raise ApiRefusal(answer.error)
        return answer.message
