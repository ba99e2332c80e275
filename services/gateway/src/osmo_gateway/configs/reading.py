"""Config objects as the API shows them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from osmo_domain.clusters import Cluster
from osmo_domain.configuration import deriving
from osmo_domain.configuration.book import Book, Revision
from osmo_domain.configuration.decide import require, require_revision
from osmo_domain.configuration.kinds import SINGLE, ConfigType, single_name
from osmo_domain.configuration.normal import default_of
from osmo_domain.configuration.refusals import refused
from osmo_domain.configuration.secrets import MASK, masked
from osmo_domain.configuration.shapes import PlatformConfig, PoolConfig
from osmo_gateway.estate import Estate
from osmo_gateway.pools import pool_status
from osmo_gateway.times import wire_time, wire_time_or_none
from osmo_service.clock import Clock


class RevisionEntry(Struct, frozen=True):
    config_type: str
    name: str
    revision: int
    username: str
    created_at: datetime
    description: str
    tags: list[str] | None
    data: Any


class HistoryFilter(Struct, frozen=True):
    """An empty tuple, an empty string or None does not filter. `at` picks the newest revision of each type until then."""

    kinds: tuple[ConfigType, ...] = ()
    name: str = ""
    revision: int | None = None
    tags: tuple[str, ...] = ()
    created_before: datetime | None = None
    created_after: datetime | None = None
    at: datetime | None = None
    descending: bool = False
    offset: int = 0
    limit: int = 20
    omit_data: bool = False


class ConfigReads:
    def __init__(self, book: Book, estate: Estate, clock: Clock) -> None:
        self._book = book
        self._estate = estate
        self._clock = clock

    def single(self, kind: ConfigType) -> Any:
        return masked(require(self._book, kind, single_name(kind)))

    def named(self, kind: ConfigType) -> dict[str, Any]:
        return {name: masked(value) for name, value in sorted(self._book.objects[kind].items())}

    def one(self, kind: ConfigType, name: str) -> Any:
        return masked(require(self._book, kind, name))

    # Pools

    def pools(self, *, verbose: bool, backend: str | None = None) -> dict[str, Any]:
        return {
            name: self.pool(name, verbose=verbose)
            for name, value in sorted(self._book.objects[ConfigType.POOL].items())
            if backend is None or value["backend"] == backend
        }

    def pool(self, name: str, *, verbose: bool) -> dict[str, Any]:
        value: dict[str, Any] = require(self._book, ConfigType.POOL, name)
        return {**value, **self._worked_out(name, value)} if verbose else value

    def platforms(self, pool: str, *, verbose: bool) -> dict[str, Any]:
        found: dict[str, Any] = self.pool(pool, verbose=verbose)["platforms"]
        return found

    def platform(self, pool: str, name: str, *, verbose: bool) -> Any:
        found = self.platforms(pool, verbose=verbose).get(name)
        if found is None:
            raise refused("unknown", f"Pool {pool} has no platform {name[:200]}.")
        return found

    def _worked_out(self, name: str, value: dict[str, Any]) -> dict[str, Any]:
        """What follows from the pool's templates and from its cluster."""
        objects = self._book.objects
        config = msgspec.convert(value, PoolConfig)
        template = deriving.pool_template(config, objects)
        cluster = self._estate.clusters.by_backend.get(config.backend)
        pool = self._estate.catalogue.pools.get(name)
        return {
            "status": pool_status(pool, self._estate.clusters, self._clock.now()) if pool else None,
            "last_heartbeat": wire_time_or_none(cluster.last_heartbeat) if cluster else None,
            "parsed_pod_template": template,
            "parsed_pod_template_for_accounting": template,
            "parsed_resource_validations": msgspec.to_builtins(deriving.platform_assertions(config, None, objects)),
            "parsed_group_templates": deriving.group_templates(config, objects),
            "platforms": {
                key: {**value["platforms"][key], **self._platform(config, one)} for key, one in config.platforms.items()
            },
        }

    def _platform(self, pool: PoolConfig, platform: PlatformConfig) -> dict[str, Any]:
        objects = self._book.objects
        derived = deriving.derive_platform(pool, platform, objects)
        return {
            "default_mounts": derived.default_mounts,
            "labels": derived.labels,
            "tolerations": [
                {"key": one.key, "operator": one.operator, "value": one.value or None, "effect": one.effect or None}
                for one in derived.tolerations
            ],
            "parsed_pod_template": deriving.platform_template(pool, platform, objects),
            "parsed_resource_validations": msgspec.to_builtins(derived.assertions),
        }

    # Backends

    def backends(self) -> list[dict[str, Any]]:
        """Those that are configured, and those whose agents are there."""
        now = self._clock.now()
        online = {name for name, one in self._estate.clusters.by_backend.items() if one.online(now)}
        return [self.backend(name) for name in sorted({*self._book.objects[ConfigType.BACKEND], *online})]

    def backend(self, name: str) -> dict[str, Any]:
        cluster = self._estate.clusters.by_backend.get(name)
        value = self._book.objects[ConfigType.BACKEND].get(name)
        if value is None and cluster is None:
            raise refused("unknown", f"There is no backend {name[:200]}.")
        return {**(value or default_of(ConfigType.BACKEND)), **self._seen(name, cluster or Cluster())}

    def _seen(self, name: str, cluster: Cluster) -> dict[str, Any]:
        created = next(
            (one.at for one in self._book.revisions[ConfigType.BACKEND] if name in one.changes.objects),
            cluster.last_heartbeat,
        )
        seen = {
            "name": name,
            "version": cluster.version,
            "k8s_namespace": "",
            "last_heartbeat": wire_time_or_none(cluster.last_heartbeat),
            "created_date": wire_time_or_none(created),
            "online": cluster.online(self._clock.now()),
        }
        return {**seen, "k8s_uid": cluster.cluster_uid} if cluster.cluster_uid else seen

    # History

    def history(self, wanted: HistoryFilter) -> list[RevisionEntry]:
        found = [one for one in self._revisions(wanted) if _matches(one, wanted)]
        if wanted.descending:
            found.reverse()
        page = found[wanted.offset : wanted.offset + wanted.limit]
        data = {} if wanted.omit_data else self._data_of(page)
        return [_entry(one, data.get((one.type, one.number))) for one in page]

    def _data_of(self, page: Sequence[Revision]) -> dict[tuple[ConfigType, int], Any]:
        return {
            (kind, number): masked(_as_read(kind, objects))
            for kind in {one.type for one in page}
            for number, objects in self._book.data_of(kind, {one.number for one in page if one.type is kind}).items()
        }

    def _revisions(self, wanted: HistoryFilter) -> Iterator[Revision]:
        if wanted.at is None:
            yield from self._book.all_revisions()
            return
        newest: dict[ConfigType, Revision] = {}
        for one in self._book.all_revisions():
            if one.at <= wanted.at:
                newest[one.type] = one
        yield from newest.values()

    def difference(self, kind: ConfigType, first: int, second: int) -> tuple[Any, Any]:
        """The data of two revisions; secrets are stars, and marked where they differ."""
        for number in (first, second):
            require_revision(self._book, kind, number)
        data = self._book.data_of(kind, {first, second})
        before, after = _as_read(kind, data[first]), _as_read(kind, data[second])
        return masked(before), _marked(masked(after), before, after)


def _entry(one: Revision, data: Any) -> RevisionEntry:
    return RevisionEntry(
        config_type=one.type,
        name=one.changes.name,
        revision=one.number,
        username=one.user,
        created_at=wire_time(one.at),
        description=one.changes.description,
        tags=one.tags or None,
        data=data,
    )


def _as_read(kind: ConfigType, objects: dict[str, Any]) -> Any:
    """The objects in what a read of their type gives."""
    if kind in SINGLE:
        return objects.get(single_name(kind)) or default_of(kind)
    if kind is ConfigType.POOL:
        return {"pools": objects}
    if kind is ConfigType.BACKEND:
        return {"backends": [{"name": name, **value} for name, value in objects.items()]}
    return list(objects.values()) if kind is ConfigType.ROLE else objects


def _matches(one: Revision, wanted: HistoryFilter) -> bool:
    return (
        (not wanted.kinds or one.type in wanted.kinds)
        and (not wanted.name or wanted.name == one.changes.name or wanted.name in one.changes.objects)
        and (wanted.revision is None or wanted.revision == one.number)
        and (not wanted.tags or not set(wanted.tags).isdisjoint(one.tags))
        and (wanted.created_before is None or one.at < wanted.created_before)
        and (wanted.created_after is None or one.at > wanted.created_after)
    )


def _marked(shown: Any, before: Any, after: Any) -> Any:
    if shown == MASK and before != after:
        return f"{MASK} (changed)"
    if isinstance(shown, dict) and isinstance(before, dict):
        return {key: _marked(value, before.get(key), after.get(key)) for key, value in shown.items()}
    return shown
