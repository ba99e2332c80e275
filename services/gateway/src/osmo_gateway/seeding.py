"""First start: what the installation begins with, appended to CONFIG where nothing is known yet. What people set later is never touched."""

import logging
from typing import Any

import msgspec
from msgspec import Raw, Struct

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import CONFIG_CODEC, ConfigEvent, ConfigRevised, ConfigSet
from osmo_domain.errors import Stale
from osmo_domain.ids import derived_uuid
from osmo_domain.label_policy import check_labels_config
from osmo_domain.pool import Backend, Pool, WorkflowSettings
from osmo_eventlog.ports import EventLog
from osmo_eventlog.subjects import config, config_revision
from osmo_gateway.backends.tokens import BackendTokens
from osmo_service.clock import Clock

log = logging.getLogger("osmo.gateway.seeding")


class Seed(Struct, frozen=True, forbid_unknown_fields=True):
    """The seed file (OSMO_SEED_FILE)."""

    pools: tuple[Pool, ...] = ()
    backends: tuple[Backend, ...] = ()
    workflow: WorkflowSettings | None = None
    backend_tokens: dict[str, str] = {}
    """Backend to the SHA-256 (hex) of the token that its agent has."""

    def objects(self) -> list[tuple[str, str, Any]]:
        """(kind, name, value). Pools stand last: once one can be named, everything that it needs is there."""
        found: list[tuple[str, str, Any]] = []
        if self.workflow is not None:
            found.append(("workflow", "workflow", self.workflow))
        found += [("backend", backend.name, backend) for backend in self.backends]
        found += [("pool", pool.name, pool) for pool in self.pools]
        return found


async def sow(seed: Seed, event_log: EventLog, clock: Clock) -> None:
    """An object that somebody has written or deleted already stays as they left it."""
    if seed.workflow is not None:
        check_labels_config(seed.workflow.labels_config)
    written = {kind: await _written(event_log, kind) for kind in {kind for kind, _, _ in seed.objects()}}
    for kind, name, value in seed.objects():
        if name in written[kind]:
            continue
        event = ConfigSet(kind=kind, name=name, value=Raw(msgspec.json.encode(value)))
        commit: Commit[ConfigEvent] = Commit(
            id=derived_uuid("seed", kind, name), at=clock.now(), actor="seed", events=[event]
        )
        try:
            await event_log.append(config(kind, name), encode_commit(commit), message_id=commit.id, expected=0)
        except Stale:
            continue
        log.info("seeded", extra={"kind": kind, "object": name})


async def sow_tokens(seed: Seed, tokens: BackendTokens) -> None:
    """A token that was there before stays as people left it, revoked ones too."""
    for backend, sha256 in seed.backend_tokens.items():
        try:
            await tokens.sow(backend, sha256)
        except Stale:
            log.info("another gateway sows the same", extra={"kind": "backend_token", "object": backend})


async def _written(event_log: EventLog, kind: str) -> set[str]:
    """The names of objects of this kind that people wrote."""
    found: set[str] = set()
    for record in await event_log.load(config_revision(kind)):
        for event in CONFIG_CODEC.decode(record.data).events:
            if isinstance(event, ConfigRevised):
                found.update(event.objects)
    return found
