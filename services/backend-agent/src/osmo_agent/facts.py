"""How this agent writes facts: as commits on its own subjects of CLUSTERS, with ids that never repeat and never change on a resend."""

import asyncio
import random
from dataclasses import dataclass

from osmo_domain.cluster import ClusterFact
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.errors import Transient
from osmo_domain.ids import new_uuid
from osmo_eventlog import subjects
from osmo_eventlog.ports import EventLog
from osmo_service.backoff import until_done
from osmo_service.clock import Clock


@dataclass(frozen=True, slots=True)
class Sealed:
    """A commit as it goes over the wire, however often it is sent."""

    subject: str
    data: bytes
    message_id: str


class Facts:
    """`healed` is set when something was stored after something else could not be: whoever waits for it clears it."""

    def __init__(self, log: EventLog, backend: str, clock: Clock, rng: random.Random) -> None:
        self._log = log
        self._backend = backend
        self._clock = clock
        self._rng = rng
        self._life = new_uuid(rng)[:16]
        self._count = 0
        self._broken = False
        self.healed = asyncio.Event()

    def seal(self, kind: str, *facts: ClusterFact, name: str = "_") -> Sealed:
        """One commit of these facts. The id holds this process's life and a counter, so that no two commits share one."""
        self._count += 1
        message_id = f"{self._backend}/{self._life}/{self._count}"
        commit = Commit[ClusterFact](message_id, self._clock.now(), f"agent:{self._backend}", list(facts))
        return Sealed(subjects.cluster(self._backend, kind, name), encode_commit(commit), message_id)

    async def send(self, sealed: Sealed) -> None:
        """Store it, or raise Transient; sending the same again stores it once."""
        try:
            await self._log.publish(sealed.subject, sealed.data, message_id=sealed.message_id)
        except Transient:
            self._broken = True
            raise
        if self._broken:
            self._broken = False
            self.healed.set()

    async def send_until_stored(self, sealed: Sealed) -> None:
        await until_done(lambda: self.send(sealed), what=sealed.subject, rng=self._rng)
