"""One stream in memory: messages by position, an index by subject, and those who wait for news. Synchronous but for the waiting."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from osmo_domain.errors import Poison, Stale, Transient
from osmo_eventlog.matching import is_pattern, matcher, matches, matches_any
from osmo_eventlog.memory.clock import Clock
from osmo_eventlog.ports import Recorded, Seq
from osmo_eventlog.streams import MAX_MESSAGE_BYTES, StreamSpec


class MemoryStream:
    def __init__(self, spec: StreamSpec, clock: Clock) -> None:
        self.spec = spec
        self._clock = clock
        self._messages: list[Recorded | None] = []
        self._kept = 0
        self._by_subject: dict[str, dict[Seq, None]] = {}
        self._by_last_token: dict[str, dict[str, None]] = {}
        self._seen: dict[str, tuple[datetime, Seq]] = {}
        self._waiting: dict[asyncio.Future[None], Sequence[str]] = {}

    @property
    def last_seq(self) -> Seq:
        return len(self._messages)

    def append(self, subject: str, data: bytes, message_id: str, expected: Seq | None, across: str | None) -> Seq:
        """The server's side of `EventLog.append`: first the expectation, then the repeated id, as NATS does it on one replica."""
        if expected is None:
            return self.store(subject, data, message_id)
        newest = self.last(across or subject)
        if (newest.seq if newest else 0) == expected:
            return self.store(subject, data, message_id)
        for record in self.walk(across or subject, expected):
            if record.message_id == message_id:
                return record.seq
        raise Stale(f"{across or subject}: expected {expected}, the last is {newest.seq if newest else 0}")

    def store(self, subject: str, data: bytes, message_id: str) -> Seq:
        if len(data) > MAX_MESSAGE_BYTES:
            raise Poison(f"{subject}: a message of {len(data)} bytes is above the limit of {MAX_MESSAGE_BYTES}")
        self._forget_ids()
        if message_id in self._seen:
            return self._seen[message_id][1]
        self._make_room(subject)
        record = Recorded(self.spec.name, subject, self.last_seq + 1, data, message_id, self._clock.now().timestamp())
        self._messages.append(record)
        self._kept += 1
        self._by_subject.setdefault(subject, {})[record.seq] = None
        self._by_last_token.setdefault(subject.rpartition(".")[2], {})[subject] = None
        if message_id:
            self._seen[message_id] = (self._clock.now(), record.seq)
        self._wake(subject)
        return record.seq

    def get(self, seq: Seq) -> Recorded | None:
        return self._messages[seq - 1] if 0 < seq <= len(self._messages) else None

    def last(self, pattern: str) -> Recorded | None:
        """The newest message of all subjects that match."""
        newest = max((next(reversed(self._by_subject[name])) for name in self._subjects(pattern)), default=0)
        return self.get(newest)

    def walk(self, pattern: str, after: Seq) -> list[Recorded]:
        found = [seq for name in self._subjects(pattern) for seq in self._behind(name, after)]
        return self._records(sorted(found))

    def scan(self, patterns: Sequence[str], after: Seq, limit: int) -> tuple[list[Recorded], Seq]:
        """Up to `limit` matching messages behind `after`, and the position up to which was looked."""
        found: list[Recorded] = []
        wanted = matcher(patterns)
        for index in range(after, len(self._messages)):
            record = self._messages[index]
            if record is not None and wanted(record.subject):
                found.append(record)
                if len(found) == limit:
                    return found, index + 1
        return found, len(self._messages)

    def last_per_subject(self, patterns: Sequence[str]) -> list[Recorded]:
        newest = [next(reversed(seqs)) for name, seqs in self._by_subject.items() if matches_any(patterns, name)]
        return self._records(sorted(newest))

    def remove(self, seq: Seq) -> None:
        record = self.get(seq)
        if record is None:
            return
        self._messages[seq - 1] = None
        self._kept -= 1
        seqs = self._by_subject[record.subject]
        del seqs[seq]
        if not seqs:
            del self._by_subject[record.subject]
            del self._by_last_token[record.subject.rpartition(".")[2]][record.subject]

    def purge(self, pattern: str) -> None:
        for record in self.walk(pattern, 0):
            self.remove(record.seq)

    async def changed(self, patterns: Sequence[str], *, timeout_s: float | None = None) -> None:
        """Return when a message that matches is stored, or after the timeout."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = patterns
        timer = None
        if timeout_s is not None:
            timer = asyncio.get_running_loop().call_later(timeout_s, _resolve, waiter)
        try:
            await waiter
        finally:
            self._waiting.pop(waiter, None)
            if timer is not None:
                timer.cancel()

    def wake_all(self) -> None:
        """Let everyone who waits look again (a crash, a message given back)."""
        for waiter in list(self._waiting):
            _resolve(waiter)

    def _wake(self, subject: str) -> None:
        for waiter, patterns in list(self._waiting.items()):
            if matches_any(patterns, subject):
                _resolve(waiter)

    def _make_room(self, subject: str) -> None:
        """Drop the oldest of the subject where the stream keeps a number of each; refuse where the whole stream is full."""
        spec = self.spec
        mine = self._by_subject.get(subject, {})
        if spec.max_msgs_per_subject and len(mine) >= spec.max_msgs_per_subject:
            if not spec.discard_old:
                raise Transient(f"{spec.name}: {subject} is full")
            self.remove(next(iter(mine)))
        if spec.max_msgs and self._kept >= spec.max_msgs:
            raise Transient(f"the stream {spec.name} is full")

    def _forget_ids(self) -> None:
        oldest_kept = self._clock.now() - timedelta(seconds=self.spec.duplicate_window_s)
        while self._seen:
            message_id, (at, _) = next(iter(self._seen.items()))
            if at >= oldest_kept:
                return
            del self._seen[message_id]

    def _subjects(self, pattern: str) -> Iterable[str]:
        if not is_pattern(pattern):
            return [pattern] if pattern in self._by_subject else []
        last_token = pattern.rpartition(".")[2]
        candidates = self._by_subject if is_pattern(last_token) else self._by_last_token.get(last_token, {})
        return [name for name in candidates if matches(pattern, name)]

    def _behind(self, subject: str, after: Seq) -> Iterable[Seq]:
        for seq in reversed(self._by_subject[subject]):
            if seq <= after:
                return
            yield seq

    def _records(self, seqs: Iterable[Seq]) -> list[Recorded]:
        return [record for seq in seqs if (record := self._messages[seq - 1]) is not None]


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
