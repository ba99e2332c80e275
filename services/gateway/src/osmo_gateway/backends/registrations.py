"""May this cluster have this backend's name, and does its agent's version fit? Asked by the agents' window before a registration is stored."""

from osmo_domain.backend_access import check_version
from osmo_domain.cluster import BackendRegistered, ClusterFact
from osmo_domain.commit import CommitCodec
from osmo_domain.errors import Rejected
from osmo_eventlog.ports import EventLog
from osmo_eventlog.subjects import CLUSTERS, cluster

_FACTS: CommitCodec[ClusterFact] = CommitCodec(ClusterFact)


class Registrations:
    def __init__(self, event_log: EventLog, version: str) -> None:
        self._log = event_log
        self._version = version

    async def check(self, backend: str, fact: BackendRegistered) -> None:
        check_version(self._version, fact.version)
        last = await self._log.last(CLUSTERS, cluster(backend, "registered"))
        for known in _FACTS.decode(last.data).events if last is not None else ():
            if isinstance(known, BackendRegistered) and known.cluster_uid != fact.cluster_uid:
                raise Rejected(
                    "backend.other_cluster",
                    f"backend {backend!r} is registered by another cluster ({known.cluster_uid}, {known.runtime}); this one is "
                    f"{fact.cluster_uid} ({fact.runtime}). Register it under another name, or delete that backend first.",
                    http_status=409,
                )
