"""Registered backends: what people see of them, and how they come and go."""

import random
from datetime import datetime, timedelta
from typing import Any

from osmo_api.backends import (
    BackendEntry,
    BackendsAnswer,
    BackendTokenEntry,
    RegisterBody,
    RegisteredAnswer,
    RevokedAnswer,
    TokenAnswer,
)
from osmo_domain.backend_access import Skew, Token, check_backend_name, skew, token_id
from osmo_domain.cluster import BackendRemoved, ClusterFact
from osmo_domain.clusters import Cluster
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.configuration import decide as d
from osmo_domain.configuration.book import Book
from osmo_domain.configuration.decide import Note
from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.errors import Rejected
from osmo_domain.ids import new_uuid
from osmo_eventlog.ports import Clients, EventLog
from osmo_eventlog.subjects import CLUSTERS, COMMANDS, cluster, command
from osmo_gateway.agent_manifest import Addresses, manifest
from osmo_gateway.backends.tokens import BackendTokens, logins
from osmo_gateway.configs.keeper import ConfigKeeper
from osmo_gateway.configs.writing import ConfigWrites
from osmo_gateway.estate import Estate
from osmo_gateway.times import wire_time, wire_time_or_none
from osmo_service.clock import Clock
from osmo_views.ports import ALIVE, WorkflowFilter, WorkflowViews

_COUNTED = 1000
"""So many live workflows are counted; of more it is said that there are more."""


class Backends:
    """`addresses` are where the agents of other clusters find this installation, where their registration does not say otherwise."""

    def __init__(
        self,
        event_log: EventLog,
        estate: Estate,
        keeper: ConfigKeeper,
        writes: ConfigWrites,
        tokens: BackendTokens,
        views: WorkflowViews,
        clients: Clients | None,
        clock: Clock,
        rng: random.Random,
        *,
        addresses: Addresses,
        version: str,
    ) -> None:
        self._log = event_log
        self._estate = estate
        self._keeper = keeper
        self._writes = writes
        self._tokens = tokens
        self._views = views
        self._clients = clients
        self._clock = clock
        self._rng = rng
        self._addresses = addresses
        self._version = version

    def listed(self) -> BackendsAnswer:
        """Those that are configured, and those whose agents have come."""
        return BackendsAnswer([self._entry(name) for name in sorted({*self._configured(), *self._seen()})])

    def one(self, name: str) -> BackendEntry:
        self._require(name)
        return self._entry(name)

    async def register(self, user: str, name: str, body: RegisterBody) -> RegisteredAnswer:
        """Make the backend known and give it its first token."""
        check_backend_name(name)
        addresses = self._addresses.but(body)
        if self._tokens.access.valid(name, self._clock.now()):
            raise Rejected(
                "backend.exists",
                f"Backend {name} is registered already. `osmo backend rotate-token {name}` makes a new token for it.",
                http_status=409,
            )
        if name not in self._configured() or body.description:
            given: dict[str, Any] = {"description": body.description}
            await self._writes.update_backend(user, name, given, Note(f"Register backend {name}"))
        token = await self._tokens.issue(user, name)
        return RegisteredAnswer(
            backend=name, token_id=token_id(token), token=token, manifest=manifest(name, token, addresses)
        )

    async def rotate(self, user: str, name: str, grace_s: float) -> TokenAnswer:
        """The agent is sent away once, so that it comes in again: with the old token for no longer than that is good."""
        self._require(name)
        before = [one.token_id for one in self._tokens.access.valid(name, self._clock.now())]
        token, ends = await self._tokens.rotate(user, name, timedelta(seconds=grace_s))
        await self._send_away(name, before)
        return TokenAnswer(backend=name, token_id=token_id(token), token=token, previous_end_at=wire_time_or_none(ends))

    async def revoke(self, user: str, name: str, wanted: str) -> RevokedAnswer:
        self._require(name)
        revoked = await self._tokens.revoke(user, name, wanted)
        return RevokedAnswer(backend=name, revoked=revoked, disconnected=await self._send_away(name, revoked))

    async def delete(self, user: str, name: str, *, force: bool) -> None:
        """Its agent is sent away, its nodes and waiting commands are forgotten, and any cluster may have the name."""
        self._require(name)
        if not force:
            await self._check_unused(name)
        if name in self._configured():
            note = Note(f"Delete backend {name}")

            def decide(book: Book) -> Any:
                return d.decide_delete(book, ConfigType.BACKEND, name, note, registered={name})

            await self._keeper.write(user, ConfigType.BACKEND, decide, _allow)
        revoked = await self._tokens.revoke(user, name)
        await self._send_away(name, revoked)
        await self._forget(user, name)

    async def _check_unused(self, name: str) -> None:
        pools = self._pools_of(name)
        if not pools:
            return
        found = await self._views.versions(WorkflowFilter(statuses=ALIVE, pools=tuple(pools), limit=_COUNTED))
        live = f"{_COUNTED} or more" if len(found) >= _COUNTED else str(len(found))
        raise Rejected(
            "backend.in_use",
            f"Backend {name} is used by {len(pools)} pool{'s' if len(pools) > 1 else ''} ({', '.join(pools)}), with {live} live "
            "workflows. Move or delete the pools first; --force deletes it all the same, and what runs there fails.",
            http_status=409,
        )

    async def _forget(self, user: str, name: str) -> None:
        now = self._clock.now()
        commit: Commit[ClusterFact] = Commit(
            id=new_uuid(self._rng), at=now, actor=user, events=[BackendRemoved(name, now)]
        )
        await self._log.append(cluster(name, "registered"), encode_commit(commit), message_id=commit.id, expected=None)
        await self._log.purge(CLUSTERS, f"{cluster(name, 'node', '')}*")
        await self._log.purge(COMMANDS, command(name))

    async def _send_away(self, name: str, token_ids: list[str]) -> int:
        if self._clients is None or not token_ids:
            return 0
        return await self._clients.send_away(logins(name, token_ids))

    def _configured(self) -> dict[str, Any]:
        return self._keeper.book.objects[ConfigType.BACKEND]

    def _seen(self) -> set[str]:
        found = self._estate.clusters.by_backend.items()
        return {name for name, one in found if one.last_heartbeat is not None}

    def _require(self, name: str) -> None:
        if name not in self._configured() and name not in self._seen():
            raise Rejected("backend.unknown", f"There is no backend {name[:200]}.", http_status=404)

    def _pools_of(self, name: str) -> list[str]:
        return sorted(pool.name for pool in self._estate.catalogue.pools.values() if pool.backend == name)

    def _entry(self, name: str) -> BackendEntry:
        found = self._estate.clusters.by_backend.get(name) or Cluster()
        now = self._clock.now()
        fits = skew(self._version, found.version) if found.version else None
        return BackendEntry(
            name=name,
            description=self._configured().get(name, {}).get("description", ""),
            status="ONLINE" if found.online(now) else "OFFLINE",
            last_heartbeat=wire_time_or_none(found.last_heartbeat),
            version=found.version,
            skew=fits.value if fits is not None else "",
            warning=self._warning(found.version) if fits in (Skew.FAR, Skew.FOREIGN) else None,
            cluster_uid=found.cluster_uid,
            runtime=found.runtime,
            capabilities=list(found.capabilities),
            nodes=len(found.nodes),
            gpus=sum(node.gpu for node in found.nodes.values()),
            pools=self._pools_of(name),
            tokens=[_token_entry(each, now) for each in self._tokens.access.tokens.get(name, ())],
        )

    def _warning(self, version: str) -> str:
        return (
            f"the agent is version {version}, the service {self._version}: at most one minor version apart is supported"
        )


def _token_entry(token: Token, now: datetime) -> BackendTokenEntry:
    return BackendTokenEntry(
        token_id=token.token_id,
        issued_at=wire_time(token.issued_at),
        issued_by=token.issued_by,
        status=_token_status(token, now),
        ends_at=wire_time_or_none(token.ends_at),
        revoked_at=wire_time_or_none(token.revoked_at),
    )


def _token_status(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "REVOKED"
    if token.ends_at is None:
        return "VALID"
    return "RETIRING" if token.valid(now) else "RETIRED"


async def _allow(_: object) -> None:
    return None
