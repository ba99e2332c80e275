"""What all sessions of one log-router share: the log, who may speak for a task, where workflows live, barriers."""

import random
from collections import OrderedDict

from osmo_domain.task_token import token_matches
from osmo_eventlog import subjects
from osmo_eventlog.ports import Connection
from osmo_log_router.attempt import Attempt
from osmo_log_router.barriers import Barriers
from osmo_log_router.line_room import LineRoom
from osmo_log_router.over import Refused
from osmo_service.backoff import until_done
from osmo_service.clock import Clock

SHARDS_KEPT = 10_000
GAPS_KEPT = 1_000


class Router:
    """`key` None = every control container is believed."""

    def __init__(self, connection: Connection, clock: Clock, rng: random.Random, key: bytes | None) -> None:
        self.log = connection.log
        self.requests = connection.requests
        self.clock = clock
        self.rng = rng
        self.barriers = Barriers(connection.log, connection.blobs, clock, rng)
        self.gaps = Gaps()
        self.line_room = LineRoom()
        self._key = key
        self._shards: OrderedDict[str, int] = OrderedDict()

    async def admit(self, attempt: Attempt, token: str) -> int:
        """The shard of the attempt's workflow. Refused where the token is wrong or there is no such workflow."""
        if self._key is not None and not _proves(self._key, attempt, token):
            raise Refused("the token does not belong to this attempt")
        shard = self._shards.get(attempt.workflow_id)
        if shard is None:
            shard = await self._find(attempt.workflow_id)
        return shard

    async def _find(self, workflow_id: str) -> int:
        subject = subjects.workflow_any_shard(workflow_id)
        last = await until_done(lambda: self.log.last(subjects.WORKFLOWS, subject), what=subject, rng=self.rng)
        if last is None:
            raise Refused(f"there is no workflow {workflow_id}")
        shard = self._shards[workflow_id] = subjects.parse_workflow(last.subject).shard
        if len(self._shards) > SHARDS_KEPT:
            self._shards.popitem(last=False)
        return shard


class Gaps:
    """Skipped positions are refused once, so that a sender in disorder begins again. One that comes back with the same gap has lost it for good:
    then it is recorded as dropped, because a task must not hang on lines that nobody has."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[Attempt, str], None] = OrderedDict()

    def seen_before(self, attempt: Attempt, gap: str) -> bool:
        key = (attempt, gap)
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > GAPS_KEPT:
            self._seen.popitem(last=False)
        return False


def _proves(key: bytes, attempt: Attempt, token: str) -> bool:
    """Digests are ASCII; anything else cannot be one."""
    return token.isascii() and token_matches(key, attempt.workflow_id, attempt.task, attempt.retry_id, token)
