"""Whether a whole configuration holds together after a write. The first thing that does not is refused, and nothing is written."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from osmo_domain.configuration.check_pools import check_name, check_pool, named_by
from osmo_domain.configuration.check_settings import (
    check_backend,
    check_backend_test,
    check_role,
    check_service,
    check_workflow,
)
from osmo_domain.configuration.check_templates import (
    check_group_template,
    check_pod_template,
    check_resource_validation,
)
from osmo_domain.configuration.kinds import SINGLE, ConfigType, Objects
from osmo_domain.configuration.refusals import refused, words
from osmo_domain.configuration.shapes import BackendConfig, BackendTest, PoolConfig


def check_change(
    objects: Objects, kind: ConfigType, changed: Collection[str], deleted: Iterable[str], registered: Collection[str]
) -> None:
    """`objects` are as they would be. `registered` are the backends whose agents are there."""
    for name in deleted:
        _check_unused(objects, kind, name, registered)
    for name in changed:
        check_object(objects, kind, name, registered)
    for other, name in {user for one in changed for user in users_of(objects, kind, one)}:
        check_object(objects, other, name, registered)


def check_object(objects: Objects, kind: ConfigType, name: str, registered: Collection[str]) -> None:
    value = objects[kind][name]
    if kind not in SINGLE and kind not in (ConfigType.BACKEND, ConfigType.BACKEND_TEST):
        check_name(name, words(kind))
    match kind:
        case ConfigType.POOL:
            check_pool(name, value, objects, {*objects[ConfigType.BACKEND], *registered})
        case ConfigType.POD_TEMPLATE:
            check_pod_template(name, value)
        case ConfigType.GROUP_TEMPLATE:
            check_group_template(name, value)
        case ConfigType.RESOURCE_VALIDATION:
            check_resource_validation(name, value)
        case ConfigType.BACKEND:
            check_backend(name, value, objects)
        case ConfigType.BACKEND_TEST:
            check_backend_test(name, value, objects)
        case ConfigType.ROLE:
            check_role(name, value)
        case ConfigType.SERVICE:
            check_service(value)
        case ConfigType.WORKFLOW:
            check_workflow(value)


def _check_unused(objects: Objects, kind: ConfigType, name: str, registered: Collection[str]) -> None:
    if kind is ConfigType.BACKEND and name in registered:
        return
    users = sorted({f"{words(other)} {one}" for other, one in users_of(objects, kind, name)})
    if users:
        shown = ", ".join(users[:10]) + (f" and {len(users) - 10} more" if len(users) > 10 else "")
        raise refused("in_use", f"The {words(kind)} {name} is in use by {shown}.")


def users_of(objects: Objects, kind: ConfigType, name: str) -> Iterator[tuple[ConfigType, str]]:
    """What refers to this object."""
    for pool_name, value in objects[ConfigType.POOL].items():
        pool = _read(value, PoolConfig)
        if kind is ConfigType.BACKEND and pool.backend == name:
            yield ConfigType.POOL, pool_name
        if any(of is kind and name in names for of, names, _ in named_by(pool)):
            yield ConfigType.POOL, pool_name
    if kind is ConfigType.POD_TEMPLATE:
        for test, value in objects[ConfigType.BACKEND_TEST].items():
            if name in _read(value, BackendTest).common_pod_template:
                yield ConfigType.BACKEND_TEST, test
    if kind is ConfigType.BACKEND_TEST:
        for backend, value in objects[ConfigType.BACKEND].items():
            if name in _read(value, BackendConfig).tests:
                yield ConfigType.BACKEND, backend


def _read(value: Any, shape: Any) -> Any:
    return msgspec.convert(value, shape)
