"""Reads of single stored messages, answered by the stream's leader (`STREAM.MSG.GET`), so that everyone reads their own writes (style P14)."""

import json

from osmo_domain.errors import Transient
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, translate
from osmo_eventlog.nats.link import ATTEMPT_S, DEADLINE_S, Link
from osmo_eventlog.nats.retrying import Deadline
from osmo_eventlog.nats.wire import GET_ANSWER, ApiError, StoredMessage
from osmo_eventlog.ports import Recorded, Seq

_NO_MESSAGE = 10037
_STREAM_NOT_FOUND = 10059


class StoredMessages:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def last(self, stream: str, subject: str) -> StoredMessage | None:
        """The newest message of the subject, which may hold wildcards."""
        return await self._get(stream, {"last_by_subj": subject})

    async def next(self, stream: str, subject: str, at_least: Seq) -> StoredMessage | None:
        """The first message of the subject (which may hold wildcards) at or behind the position."""
        return await self._get(stream, {"seq": at_least, "next_by_subj": subject})

    async def walk(self, stream: str, subject: str, *, after: Seq, limit: int) -> list[Recorded]:
        """Up to `limit` messages behind `after`, one request each: right for the few that an aggregate has."""
        found: list[Recorded] = []
        position = after
        while len(found) < limit:
            message = await self.next(stream, subject, position + 1)
            if message is None:
                break
            found.append(message.recorded(stream))
            position = message.seq
        return found

    async def _get(self, stream: str, request: dict[str, object]) -> StoredMessage | None:
        body = json.dumps(request).encode()
        deadline = Deadline(self._link, DEADLINE_S)
        while True:
            await deadline.joined()
            try:
                reply = await self._link.client.request(f"$JS.API.STREAM.MSG.GET.{stream}", body, timeout=ATTEMPT_S)
            except LIBRARY_ERRORS as error:
                await deadline.again(translate(error, f"read of {stream}"), error)
                continue
            answer = GET_ANSWER.decode(reply.data)
            if answer.error is None:
                return answer.message
            if answer.error.err_code == _NO_MESSAGE:
                return None
            failure = _failure(stream, answer.error)
            await deadline.again(failure, failure)


def _failure(stream: str, error: ApiError) -> Exception:
    if error.err_code == _STREAM_NOT_FOUND or error.code < 500:
        return RuntimeError(f"read of {stream}: {error.description} ({error.err_code})")
    return Transient(f"read of {stream}: {error.description} ({error.err_code})")
