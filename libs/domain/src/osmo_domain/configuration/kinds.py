"""The types of config objects, and the maps that hold them."""

from enum import StrEnum
from typing import Any, Final


class ConfigType(StrEnum):
    SERVICE = "SERVICE"
    WORKFLOW = "WORKFLOW"
    BACKEND = "BACKEND"
    POOL = "POOL"
    POD_TEMPLATE = "POD_TEMPLATE"
    GROUP_TEMPLATE = "GROUP_TEMPLATE"
    RESOURCE_VALIDATION = "RESOURCE_VALIDATION"
    BACKEND_TEST = "BACKEND_TEST"
    ROLE = "ROLE"


SINGLE: Final = frozenset({ConfigType.SERVICE, ConfigType.WORKFLOW})
"""Types with one object, which has the type's name in lower case."""

Objects = dict[ConfigType, dict[str, Any]]
"""Type to name to the object, as plain JSON values. An object is replaced, never changed in place."""


def no_objects() -> Objects:
    return {kind: {} for kind in ConfigType}


def single_name(kind: ConfigType) -> str:
    return kind.value.lower()
