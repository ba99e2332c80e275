"""The only function of the house that stores commits: optimistic, and exactly once although acknowledgements get lost (style P1, P2, P17)."""

import asyncio

from osmo_domain.errors import Poison, Stale
from osmo_eventlog.nats.errors import LIBRARY_ERRORS, ApiRefusal, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.retrying import Deadline
from osmo_eventlog.nats.stored import StoredMessages
from osmo_eventlog.nats.wire import EXPECTED_LAST, EXPECTED_LAST_SUBJECT, MESSAGE_ID, PUBLISH_ANSWER, TIME_TO_LIVE
from osmo_eventlog.ports import Seq
from osmo_eventlog.streams import MAX_MESSAGE_BYTES, stream_of

_TRIES_WITHOUT_A_CULPRIT = 6
"""How often a refusal is doubted when nothing behind `expected` can be read: another write may be under way."""
_WALK_LIMIT = 10_000


class Appending:
    def __init__(self, link: Link, stored: StoredMessages) -> None:
        self._link = link
        self._stored = stored

    async def append(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str,
        expected: Seq | None = None,
        across: str | None = None,
        ttl_s: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> Seq:
        """`EventLog.append`; `ttl_s` lets the message expire, `headers` are stored with it."""
        if len(data) > MAX_MESSAGE_BYTES:
            raise Poison(f"{subject}: a message of {len(data)} bytes is above the limit of {MAX_MESSAGE_BYTES}")
        asked = dict(headers or {})
        if message_id:
            asked[MESSAGE_ID] = message_id
        if expected is not None:
            asked[EXPECTED_LAST] = str(expected)
        if across is not None:
            asked[EXPECTED_LAST_SUBJECT] = across
        if ttl_s is not None:
            asked[TIME_TO_LIVE] = f"{ttl_s}s"
        return await self._until_known(subject, data, asked, message_id, expected, across or subject)

    async def _until_known(
        self, subject: str, data: bytes, headers: dict[str, str], message_id: str, expected: Seq | None, checked: str
    ) -> Seq:
        """Publish until the outcome is known: always the same id and the same expectation."""
        deadline = Deadline(self._link)
        doubts = 0
        while True:
            await deadline.joined()
            try:
                return await self._attempt(subject, data, headers)
            except LIBRARY_ERRORS as error:
                failure = translate(error, f"append to {subject}")
                if not isinstance(failure, Stale):
                    await deadline.again(failure, error)
                    continue
                landed = await self._landed(checked, expected or 0, message_id)
                if landed is not None:
                    return landed
                doubts += 1
                if doubts >= _TRIES_WITHOUT_A_CULPRIT:
                    raise failure from error
                await asyncio.sleep(0.002 + 0.008 * self._link.rng.random())

    async def _attempt(self, subject: str, data: bytes, headers: dict[str, str]) -> Seq:
        # A new dict each time: the client may write into the one that it is given (P17).
        reply = await self._link.asking.ask(
            subject, data, timeout_s=self._link.attempt_s, headers=dict(headers) or None
        )
        answer = PUBLISH_ANSWER.decode(reply.data)
        if answer.error is not None:
            raise ApiRefusal(answer.error)
        return answer.seq

    async def _landed(self, checked: str, expected: Seq, message_id: str) -> Seq | None:
        """Where an earlier try of ours landed; None when nothing stands behind `expected` yet; Stale when only others do."""
        stream = stream_of(checked, self._link.specs)
        position, others = expected, 0
        while others < _WALK_LIMIT:
            message = await self._stored.next(stream, checked, position + 1)
            if message is None:
                break
            if message.headers().get(MESSAGE_ID) == message_id:
                return message.seq
            position = message.seq
            others += 1
        if others:
            raise Stale(f"{checked}: expected {expected}, the last is {position}")
        return None
