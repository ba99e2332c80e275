"""Configuration as events on the CONFIG stream, and the catalogue folded from them.

People's writes are `config.revised`, each one revision of its type. `config.set` and `config.deleted` are how the installation's first
objects (seeds) came to be: objects as the house works with them, one per subject. Both are history, and count alike.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field

from osmo_domain.commit import CommitCodec
from osmo_domain.configuration.deriving import (
    backend_config,
    derive_backend,
    derive_pool,
    group_templates,
    platform_template,
    pool_config,
)
from osmo_domain.configuration.kinds import ConfigType, Objects, no_objects, single_name
from osmo_domain.configuration.pod_templates import Template
from osmo_domain.configuration.settings import derive_settings, workflow_config
from osmo_domain.configuration.shapes import PoolConfig
from osmo_domain.errors import Rejected
from osmo_domain.pool import Backend, Pool, WorkflowSettings

CATALOGUE_KINDS: Final = ("revision", "pool", "backend", "workflow")
"""Kinds of CONFIG subjects (`osmo.config.<kind>.<name>`) that make up the catalogue. Revisions are told from the first to the last."""


class ConfigSet(Struct, frozen=True, omit_defaults=True, tag="config.set"):
    """The object of this kind and name is now `value`. Kinds: `pool` (Pool), `backend` (Backend), `workflow` (WorkflowSettings)."""

    kind: str
    name: str
    value: Raw


class ConfigDeleted(Struct, frozen=True, omit_defaults=True, tag="config.deleted"):
    kind: str
    name: str


class ConfigRevised(Struct, frozen=True, omit_defaults=True, tag="config.revised"):
    """One write: `objects` are now these (in the wire's shape), and `deleted` are no more. `name` is what the request named, if one thing.

    Its number is its place among the revisions of its type.
    """

    config_type: str
    objects: dict[str, Raw] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()


class RevisionTagged(Struct, frozen=True, omit_defaults=True, tag="config.revision_tagged"):
    config_type: str
    revision: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class RevisionDeleted(Struct, frozen=True, omit_defaults=True, tag="config.revision_deleted"):
    """The revision is no longer shown, nor can it be gone back to. What it changed stays."""

    config_type: str
    revision: int


ConfigEvent = ConfigSet | ConfigDeleted | ConfigRevised | RevisionTagged | RevisionDeleted


class Catalogue(Struct):
    """Every config object that exists: as people write it (`objects`), and what follows from that. Changed in place by `apply_config`;
    owned by one service. `seq` is the position in CONFIG up to which it was folded."""

    pools: dict[str, Pool]
    backends: dict[str, Backend]
    workflow: WorkflowSettings
    objects: Objects = field(default_factory=no_objects)
    seq: int = 0

    @classmethod
    def empty(cls) -> "Catalogue":
        return cls(pools={}, backends={}, workflow=WorkflowSettings())

    def pod_template(self, pool: str, platform: str) -> Template:
        """The merged pod template of a platform, not rendered; empty where there is no such platform."""
        config = self._pool_config(pool)
        if config is None or platform not in config.platforms:
            return {}
        return platform_template(config, config.platforms[platform], self.objects)

    def group_templates(self, pool: str) -> list[Template]:
        """What is created once for every group of the pool, not rendered."""
        config = self._pool_config(pool)
        return group_templates(config, self.objects) if config is not None else []

    def _pool_config(self, pool: str) -> PoolConfig | None:
        found = self.objects[ConfigType.POOL].get(pool)
        return msgspec.convert(found, PoolConfig) if found is not None else None


def apply_config(catalogue: Catalogue, event: ConfigEvent) -> None:
    """Fold one config event into the catalogue, in place. Kinds that this release does not know are passed over."""
    objects = catalogue.objects
    match event:
        case ConfigRevised():
            _apply_revision(catalogue, event)
        case ConfigSet(kind="pool", name=name, value=value):
            pool = catalogue.pools[name] = msgspec.json.decode(value, type=Pool)
            objects[ConfigType.POOL][name] = pool_config(pool)
        case ConfigSet(kind="backend", name=name, value=value):
            backend = catalogue.backends[name] = msgspec.json.decode(value, type=Backend)
            objects[ConfigType.BACKEND][name] = backend_config(backend)
        case ConfigSet(kind="workflow", value=value):
            catalogue.workflow = msgspec.json.decode(value, type=WorkflowSettings)
            objects[ConfigType.WORKFLOW] = {single_name(ConfigType.WORKFLOW): workflow_config(catalogue.workflow)}
        case ConfigDeleted(kind="pool", name=name):
            catalogue.pools.pop(name, None)
            objects[ConfigType.POOL].pop(name, None)
        case ConfigDeleted(kind="backend", name=name):
            catalogue.backends.pop(name, None)
            objects[ConfigType.BACKEND].pop(name, None)
        case _:
            pass


_NAMED_BY_POOLS: Final = {
    ConfigType.POD_TEMPLATE: ("common_pod_template", "override_pod_template"),
    ConfigType.RESOURCE_VALIDATION: ("common_resource_validations", "resource_validations"),
}
"""Types that pools are made of, and where pools and their platforms name them."""


def _names_in(pool: dict[str, Any], key: str, platform_key: str) -> Iterator[str]:
    yield from pool.get(key, ())
    for platform in pool.get("platforms", {}).values():
        yield from platform.get(platform_key, ())


def _apply_revision(catalogue: Catalogue, event: ConfigRevised) -> None:
    kind = known_type(event.config_type)
    if kind is None:
        return
    change_objects(catalogue.objects, kind, event)
    if kind in _NAMED_BY_POOLS:
        touched = {*event.objects, *event.deleted}
        for name, value in catalogue.objects[ConfigType.POOL].items():
            if not touched.isdisjoint(_names_in(value, *_NAMED_BY_POOLS[kind])):
                _derive_pool(catalogue, name)
    elif kind is ConfigType.POOL:
        for name in (*event.objects, *event.deleted):
            _derive_pool(catalogue, name)
    elif kind is ConfigType.BACKEND:
        derived = {name: derive_backend(name, one) for name, one in catalogue.objects[kind].items()}
        catalogue.backends.clear()
        catalogue.backends.update(derived)
    elif kind is ConfigType.WORKFLOW:
        for value in catalogue.objects[kind].values():
            catalogue.workflow = derive_settings(value, catalogue.workflow)


def _derive_pool(catalogue: Catalogue, name: str) -> None:
    """Make the pool again. One that cannot be made keeps what it was: no check lets such a thing in."""
    value: Any = catalogue.objects[ConfigType.POOL].get(name)
    if value is None:
        catalogue.pools.pop(name, None)
        return
    try:
        catalogue.pools[name] = derive_pool(name, value, catalogue.objects)
    except (Rejected, msgspec.ValidationError):
        return


def change_objects(objects: Objects, kind: ConfigType, event: ConfigRevised) -> None:
    for name, value in event.objects.items():
        objects[kind][name] = msgspec.json.decode(value)
    for name in event.deleted:
        objects[kind].pop(name, None)


def known_type(text: str) -> ConfigType | None:
    return ConfigType(text) if text in ConfigType.__members__ else None


CONFIG_CODEC: CommitCodec[ConfigEvent] = CommitCodec(ConfigEvent)
