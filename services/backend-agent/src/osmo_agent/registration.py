"""One name, one cluster: the agent says who it is before anything else, and gives way to the cluster that had the name first."""

import asyncio
import random

from osmo_agent.ports import RuntimeIdentity
from osmo_domain.cluster import BackendRegistered, ClusterFact
from osmo_domain.commit import Commit, CommitCodec, encode_commit
from osmo_domain.errors import Rejected, Stale
from osmo_domain.ids import new_uuid
from osmo_eventlog import subjects
from osmo_eventlog.ports import EventLog, Recorded
from osmo_service.backoff import until_done
from osmo_service.clock import Clock

CAPABILITIES = ("restart", "window")
"""What this release's agents can do: restart tasks in their pods, work with the rights of an agent alone."""

_CODEC: CommitCodec[ClusterFact] = CommitCodec(ClusterFact)


class RegistrationRefused(Exception):
    """Another cluster holds this backend's name, or the control plane cannot work with an agent of our version."""


class Registration:
    """Appended against the last registration's position, so that of two clusters that come at once only one gets the name."""

    def __init__(
        self,
        log: EventLog,
        backend: str,
        identity: RuntimeIdentity,
        version: str,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._log = log
        self._backend = backend
        self._identity = identity
        self._version = version
        self._clock = clock
        self._rng = rng

    async def register(self) -> None:
        """Returns once it is stored; raises RegistrationRefused where the name is another cluster's."""
        await until_done(self._try, what=f"registration of {self._backend}", rng=self._rng)

    async def keep(self, every_s: float) -> None:
        """Say it again now and then: CLUSTERS forgets after days."""
        while True:
            await asyncio.sleep(every_s)
            await self.register()

    async def _try(self) -> None:
        while True:
            last = await self._log.last(subjects.CLUSTERS, self._subject)
            self._refuse_if_taken(last)
            try:
                await self._append(expected=last.seq if last is not None else 0)
            except Stale:
                continue
            except Rejected as rejected:
                raise RegistrationRefused(rejected.message) from rejected
            return

    @property
    def _subject(self) -> str:
        return subjects.cluster(self._backend, "registered")

    def _refuse_if_taken(self, last: Recorded | None) -> None:
        if last is None:
            return
        for fact in _CODEC.decode(last.data).events:
            if isinstance(fact, BackendRegistered) and fact.cluster_uid != self._identity.cluster_uid:
                raise RegistrationRefused(
                    f"backend {self._backend!r} is registered by another cluster ({fact.cluster_uid}, {fact.runtime}); "
                    f"this one is {self._identity.cluster_uid} ({self._identity.kind}). Choose another OSMO_BACKEND, or remove "
                    "that backend first."
                )

    async def _append(self, *, expected: int) -> None:
        now = self._clock.now()
        fact = BackendRegistered(
            self._backend, self._identity.cluster_uid, self._version, self._identity.kind, now, CAPABILITIES
        )
        message_id = f"{self._backend}/registered/{new_uuid(self._rng)}"
        commit = Commit[ClusterFact](message_id, now, f"agent:{self._backend}", [fact])
        await self._log.append(self._subject, encode_commit(commit), message_id=message_id, expected=expected)
