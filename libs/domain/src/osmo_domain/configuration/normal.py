"""Objects as they are stored: in the shape of their type, with every default written out and nothing that the shape does not have."""

from typing import Any, Final

import msgspec

from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.configuration.refusals import shaped, words
from osmo_domain.configuration.settings_shapes import ServiceConfig, WorkflowConfig
from osmo_domain.configuration.shapes import BackendConfig, BackendTest, PoolConfig, Role

SHAPES: Final[dict[ConfigType, Any]] = {
    ConfigType.SERVICE: ServiceConfig,
    ConfigType.WORKFLOW: WorkflowConfig,
    ConfigType.BACKEND: BackendConfig,
    ConfigType.POOL: PoolConfig,
    ConfigType.BACKEND_TEST: BackendTest,
    ConfigType.ROLE: Role,
}
"""The others are kept as they were written: what is in a pod is for Kubernetes to say."""

_NAMED: Final = frozenset({ConfigType.POOL, ConfigType.BACKEND_TEST, ConfigType.ROLE})


def normal(kind: ConfigType, name: str, value: Any) -> Any:
    """Refused with `config.bad_shape` where it has no such shape."""
    shape = SHAPES.get(kind)
    if shape is None:
        return value
    if kind in _NAMED and isinstance(value, dict) and not value.get("name"):
        value = {**value, "name": name}
    return msgspec.to_builtins(shaped(value, shape, f"The {words(kind)} {name}"))


def default_of(kind: ConfigType) -> Any:
    """The object of a single type before anybody wrote it."""
    return msgspec.to_builtins(SHAPES[kind]())
