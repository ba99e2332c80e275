"""Configuration as events on the CONFIG stream, and the catalogue folded from them."""

import msgspec
from msgspec import Raw, Struct

from osmo_domain.commit import CommitCodec
from osmo_domain.pool import Backend, Pool, WorkflowSettings


class ConfigSet(Struct, frozen=True, omit_defaults=True, tag="config.set"):
    """The object of this kind and name is now `value`. Kinds: `pool` (Pool), `backend` (Backend), `workflow` (WorkflowSettings)."""

    kind: str
    name: str
    value: Raw


class ConfigDeleted(Struct, frozen=True, omit_defaults=True, tag="config.deleted"):
    kind: str
    name: str


ConfigEvent = ConfigSet | ConfigDeleted


class Catalogue(Struct):
    """Every config object that exists. Changed in place by `apply`; owned by one service."""

    pools: dict[str, Pool]
    backends: dict[str, Backend]
    workflow: WorkflowSettings

    @classmethod
    def empty(cls) -> "Catalogue":
        return cls(pools={}, backends={}, workflow=WorkflowSettings())


def apply_config(catalogue: Catalogue, event: ConfigEvent) -> None:
    """Fold one config event into the catalogue, in place. Kinds that this release does not know are passed over."""
    match event:
        case ConfigSet(kind="pool", name=name, value=value):
            catalogue.pools[name] = msgspec.json.decode(value, type=Pool)
        case ConfigSet(kind="backend", name=name, value=value):
            catalogue.backends[name] = msgspec.json.decode(value, type=Backend)
        case ConfigSet(kind="workflow", value=value):
            catalogue.workflow = msgspec.json.decode(value, type=WorkflowSettings)
        case ConfigDeleted(kind="pool", name=name):
            catalogue.pools.pop(name, None)
        case ConfigDeleted(kind="backend", name=name):
            catalogue.backends.pop(name, None)
        case _:
            pass


CONFIG_CODEC: CommitCodec[ConfigEvent] = CommitCodec(ConfigEvent)
