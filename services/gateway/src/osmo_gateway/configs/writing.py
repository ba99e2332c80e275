"""Writes of config objects: each is one revision, or refused with the reason."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from osmo_domain.config import ConfigEvent, ConfigRevised
from osmo_domain.configuration import decide as d
from osmo_domain.configuration.book import Book
from osmo_domain.configuration.check_nodes import check_nodes
from osmo_domain.configuration.decide import Note
from osmo_domain.configuration.kinds import ConfigType, single_name
from osmo_domain.configuration.normal import default_of
from osmo_domain.configuration.refusals import refused
from osmo_gateway.configs.keeper import ConfigKeeper
from osmo_gateway.estate import Estate
from osmo_views.ports import ALIVE, WorkflowFilter, WorkflowViews


class ConfigWrites:
    def __init__(self, keeper: ConfigKeeper, estate: Estate, views: WorkflowViews) -> None:
        self._keeper = keeper
        self._estate = estate
        self._views = views

    async def put(self, user: str, kind: ConfigType, objects: dict[str, Any], note: Note, *, name: str = "") -> None:
        await self._write(user, kind, partial(d.decide_put, kind=kind, objects=objects, note=note, name=name))

    async def patch(self, user: str, kind: ConfigType, name: str, patch: Any, note: Note) -> None:
        await self._write(user, kind, partial(d.decide_patch, kind=kind, name=name, patch=patch, note=note))

    async def delete(self, user: str, kind: ConfigType, name: str, note: Note, *, force: bool = False) -> None:
        await self._write(user, kind, partial(d.decide_delete, kind=kind, name=name, note=note), force=force)

    async def rename(self, user: str, name: str, new_name: str, note: Note) -> None:
        """Of a pool."""
        kind = ConfigType.POOL
        await self._write(user, kind, partial(d.decide_rename, kind=kind, name=name, new_name=new_name, note=note))

    async def rollback(self, user: str, kind: ConfigType, number: int, note: Note) -> None:
        await self._write(user, kind, partial(d.decide_rollback, kind=kind, number=number, note=note))

    async def put_single(self, user: str, kind: ConfigType, value: Any, note: Note) -> None:
        await self.put(user, kind, {single_name(kind): value}, note, name=single_name(kind))

    async def update_backend(self, user: str, name: str, given: dict[str, Any], note: Note) -> None:
        """Set what is given and not null. A backend may be configured before its agent comes."""
        wanted = {key: value for key, value in given.items() if value is not None}

        def decide(book: Book, *, registered: set[str]) -> ConfigEvent:
            current = book.objects[ConfigType.BACKEND].get(name) or default_of(ConfigType.BACKEND)
            changed = {name: {**current, **wanted}}
            return d.decide_put(book, ConfigType.BACKEND, changed, note, registered=registered, name=name)

        await self._write(user, ConfigType.BACKEND, decide)

    async def put_platform(self, user: str, pool: str, platform: str, value: Any, note: Note) -> None:
        await self._change_platforms(user, pool, lambda _, platforms: {**platforms, platform: value}, note)

    async def rename_platform(self, user: str, pool: str, platform: str, new_name: str, note: Note) -> None:
        def renamed(current: dict[str, Any], platforms: dict[str, Any]) -> dict[str, Any]:
            if platform not in platforms:
                raise refused("unknown", f"Pool {pool} has no platform {platform}.")
            if new_name in platforms:
                raise refused("exists", f"Pool {pool} has a platform {new_name} already.")
            if current["default_platform"] == platform:
                current["default_platform"] = new_name
            return {new_name if name == platform else name: one for name, one in platforms.items()}

        await self._change_platforms(user, pool, renamed, note)

    async def _change_platforms(
        self, user: str, pool: str, change: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]], note: Note
    ) -> None:
        def decide(book: Book, *, registered: set[str]) -> ConfigEvent:
            current = dict(d.require(book, ConfigType.POOL, pool))
            platforms = change(current, current["platforms"])
            value = {**current, "platforms": platforms}
            return d.decide_put(book, ConfigType.POOL, {pool: value}, note, registered=registered, name=pool)

        await self._write(user, ConfigType.POOL, decide)

    async def tag(
        self, user: str, kind: ConfigType, number: int, add: tuple[str, ...], remove: tuple[str, ...]
    ) -> None:
        await self._keeper.write(user, kind, lambda book: d.decide_tags(book, kind, number, add, remove), _allow)

    async def delete_revision(self, user: str, kind: ConfigType, number: int) -> None:
        await self._keeper.write(user, kind, lambda book: d.decide_delete_revision(book, kind, number), _allow)

    async def _write(
        self, user: str, kind: ConfigType, decide: Callable[..., ConfigEvent], *, force: bool = False
    ) -> None:
        registered = {name for name, one in self._estate.clusters.by_backend.items() if one.last_heartbeat is not None}
        guard = _allow if force else self._check
        await self._keeper.write(user, kind, partial(decide, registered=registered), guard)

    async def _check(self, event: ConfigEvent) -> None:
        """Against what is there: nodes, and live workflows."""
        if not isinstance(event, ConfigRevised):
            return
        nodes = {name: cluster.nodes.values() for name, cluster in self._estate.clusters.by_backend.items()}
        check_nodes(self._keeper.book, self._estate.catalogue.pools, nodes, event)
        await self._check_alive(event)

    async def _check_alive(self, event: ConfigRevised) -> None:
        """What live workflows stand on is neither deleted nor moved to another cluster."""
        for what, pools in self._shaken(event):
            if not pools:
                continue
            wanted = WorkflowFilter(statuses=ALIVE, pools=pools, limit=1)
            if found := await self._views.workflows(wanted):
                raise refused("in_use", f"{what} has live workflows, for example {found[0].workflow_id}.")

    def _shaken(self, event: ConfigRevised) -> list[tuple[str, tuple[str, ...]]]:
        """What the write takes from under workflows, in words, and the pools that these are in."""
        pools = self._estate.catalogue.pools
        if event.config_type == ConfigType.BACKEND:
            return [
                (f"Backend {name}", tuple(pool.name for pool in pools.values() if pool.backend == name))
                for name in event.deleted
            ]
        if event.config_type != ConfigType.POOL:
            return []
        moved = [
            name
            for name, value in event.objects.items()
            if name in pools and msgspec.json.decode(value)["backend"] != pools[name].backend
        ]
        return [(f"Pool {name}", (name,)) for name in (*event.deleted, *moved)]


async def _allow(_: ConfigEvent) -> None:
    return None
