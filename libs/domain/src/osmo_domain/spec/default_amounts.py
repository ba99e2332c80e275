"""What tasks ask for that asked for nothing: the pool's and the platform's default variables (spec 4.6)."""

import math
from collections.abc import Mapping
from typing import Any, Final

from osmo_domain.errors import Rejected
from osmo_domain.pool import Platform, Pool
from osmo_domain.quantities import parse_quantity
from osmo_domain.spec.model import ResourceSpec

AMOUNTS: Final = {"USER_CPU": "cpu", "USER_GPU": "gpu", "USER_MEMORY": "memory", "USER_STORAGE": "storage"}
"""The variables that are amounts, and the keys of `resources` that they stand for."""


def fill_in_amounts(resources: Mapping[str, ResourceSpec], pool: Pool) -> None:
    """Give each resource the defaults of its platform for what it leaves open (for CPUs and GPUs, 0 is open, too). In place."""
    for resource in resources.values():
        platform = pool.platforms.get(resource.platform)
        if platform is None:
            continue
        for variable, key in AMOUNTS.items():
            if variable in platform.variables and _is_open(key, getattr(resource, key)):
                setattr(resource, key, default_amount(variable, platform))


def _is_open(key: str, asked: int | None) -> bool:
    return asked is None or (asked == 0 and key in ("cpu", "gpu"))


def default_amount(variable: str, platform: Platform) -> int:
    return read_amount(variable, platform.variables[variable])


def read_amount(variable: str, value: Any) -> int:
    """Whole CPUs or GPUs, or bytes. Refused with `config.variable` for what is no amount."""
    if variable in ("USER_CPU", "USER_GPU"):
        try:
            amount = math.ceil(float(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise _bad(variable, value) from error
        if isinstance(value, bool) or amount < 0:
            raise _bad(variable, value)
        return amount
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise _bad(variable, value)
    try:
        return parse_quantity(value)
    except Rejected as error:
        raise _bad(variable, value) from error


def _bad(variable: str, value: Any) -> Rejected:
    return Rejected("config.variable", f'The default of {variable} is "{value}", which is no amount.')
