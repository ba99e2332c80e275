"""Whether a pool can be what it says: everything that it names exists, its numbers make sense, its templates merge into something."""

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec

from osmo_domain.configuration.deriving import derive_platform, platform_template
from osmo_domain.configuration.kinds import ConfigType, Objects
from osmo_domain.configuration.pod_templates import Template
from osmo_domain.configuration.refusals import refused, shaped, words
from osmo_domain.configuration.shapes import PlatformConfig, PoolConfig
from osmo_domain.configuration.times import length_or_none
from osmo_domain.errors import Rejected
from osmo_domain.ids import CONFIG_NAME_PATTERN
from osmo_domain.labels import is_label_key
from osmo_domain.pool import GpuQuota
from osmo_domain.spec.default_amounts import AMOUNTS, read_amount

_MOST_GPUS: Final = 10_000_000
_TIMES: Final = ("default_exec_timeout", "default_queue_timeout", "max_exec_timeout", "max_queue_timeout")
_CODES: Final = re.compile(r"[0-9]{1,9}(?:-[0-9]{1,9})?(?:,[0-9]{1,9}(?:-[0-9]{1,9})?)*")
_EXIT_ACTIONS: Final = ("COMPLETE", "FAIL", "RESCHEDULE")


def check_pool(name: str, value: Any, objects: Objects, backends: Collection[str]) -> None:
    """Refused with `config.*`. `backends` are the names of all that are configured or registered."""
    pool = shaped(value, PoolConfig, f"Pool {name}")
    check_name(name, "pool")
    if pool.name not in ("", name):
        raise refused("name", f"The pool is called {name} in one place and {pool.name} in another.", "name")
    if pool.backend not in backends:
        known = ", ".join(sorted(backends)) or "none"
        raise refused("unknown_backend", f"Pool {name} wants the backend {pool.backend}; there is {known}.", "backend")
    _check_quota(name, pool.resources.gpu)
    _check_times(name, pool)
    _check_limits(name, pool)
    _check_topology(name, pool)
    _check_exit_actions(name, pool)
    _check_variables(name, pool)
    _check_names(name, pool, objects)
    _check_platforms(name, pool, objects)


def check_name(name: str, what: str) -> None:
    if not CONFIG_NAME_PATTERN.fullmatch(name) or len(name) > 63:
        raise refused(
            "name",
            f'"{name[:80]}" cannot be the name of a {what}: a letter, then letters, digits, "_", "-" and ".", at most 63, '
            "ending with a letter or digit.",
        )


def _check_quota(name: str, gpu: GpuQuota | None) -> None:
    if gpu is None:
        return
    for key in ("guarantee", "maximum"):
        amount = getattr(gpu, key)
        if not -1 <= amount <= _MOST_GPUS:
            raise refused(
                "quota",
                f"Pool {name}: {key} is {amount}; it is a number of GPUs up to {_MOST_GPUS}, or -1 for no limit.",
                f"resources.gpu.{key}",
            )
    if not 0 <= gpu.weight <= _MOST_GPUS:
        raise refused("quota", f"Pool {name}: weight is {gpu.weight}; it is a share, from 0.", "resources.gpu.weight")
    if gpu.maximum != -1 and (gpu.guarantee > gpu.maximum or gpu.guarantee == -1):
        guarantee = "no limit" if gpu.guarantee == -1 else gpu.guarantee
        raise refused(
            "quota",
            f"Pool {name} guarantees more than it may ever use: guarantee {guarantee}, maximum {gpu.maximum}.",
            "resources.gpu",
        )


def _check_times(name: str, pool: PoolConfig) -> None:
    seconds: dict[str, float | None] = {}
    for key in _TIMES:
        try:
            seconds[key] = length_or_none(getattr(pool, key))
        except Rejected as error:
            raise refused("time", f"Pool {name}: {error.message}", key) from error
    for kind in ("exec", "queue"):
        default, most = seconds[f"default_{kind}_timeout"], seconds[f"max_{kind}_timeout"]
        if default is not None and most is not None and default > most:
            raise refused(
                "time",
                f"Pool {name}: default_{kind}_timeout ({getattr(pool, f'default_{kind}_timeout')}) is longer than "
                f"max_{kind}_timeout ({getattr(pool, f'max_{kind}_timeout')}).",
                f"default_{kind}_timeout",
            )


def _check_limits(name: str, pool: PoolConfig) -> None:
    for key in ("max_num_tasks", "max_num_workflows"):
        limit = getattr(pool, key)
        if limit is not None and limit < 1:
            raise refused("limit", f"Pool {name}: {key} is {limit}; it is at least 1, or null for no limit.", key)


def _check_topology(name: str, pool: PoolConfig) -> None:
    keys = [one.key for one in pool.topology_keys]
    labels = [one.label for one in pool.topology_keys]
    if len(set(keys)) < len(keys) or len(set(labels)) < len(labels):
        raise refused("topology", f"Pool {name} names a level of its topology twice.", "topology_keys")
    for one in pool.topology_keys:
        if not one.key or not is_label_key(one.label):
            raise refused("topology", f'Pool {name}: "{one.label}" is no label of nodes.', "topology_keys")


def _check_exit_actions(name: str, pool: PoolConfig) -> None:
    for action, codes in pool.default_exit_actions.items():
        if action not in _EXIT_ACTIONS:
            raise refused(
                "exit_action",
                f'Pool {name}: there is no exit action "{action}"; there are {", ".join(_EXIT_ACTIONS)}.',
                "default_exit_actions",
            )
        if not _CODES.fullmatch(codes):
            raise refused(
                "exit_action",
                f'Pool {name}: "{codes}" are no exit codes; they look like 1,3-7.',
                f"default_exit_actions.{action}",
            )


def _check_variables(name: str, pool: PoolConfig) -> None:
    """Defaults of what tasks ask for are amounts."""
    places = {"common_default_variables": pool.common_default_variables}
    places |= {f"platforms.{key}.default_variables": one.default_variables for key, one in pool.platforms.items()}
    for path, variables in places.items():
        for variable in AMOUNTS.keys() & variables.keys():
            try:
                read_amount(variable, variables[variable])
            except Rejected as error:
                raise refused("variable", f"Pool {name}: {error.message}", f"{path}.{variable}") from error


def _check_names(name: str, pool: PoolConfig, objects: Objects) -> None:
    """Every template and validation that is named exists."""
    for kind, names, path in named_by(pool):
        for one in names:
            if one not in objects[kind]:
                known = ", ".join(sorted(objects[kind])[:20]) or "none"
                raise refused(
                    f"unknown_{kind.value.lower()}",
                    f"Pool {name} names the {words(kind)} {one}, which does not exist; there is {known}.",
                    path,
                )


def named_by(pool: PoolConfig) -> Iterable[tuple[ConfigType, tuple[str, ...], str]]:
    """What the pool refers to: type, names, and where."""
    yield ConfigType.POD_TEMPLATE, pool.common_pod_template, "common_pod_template"
    yield ConfigType.GROUP_TEMPLATE, pool.common_group_templates, "common_group_templates"
    yield ConfigType.RESOURCE_VALIDATION, pool.common_resource_validations, "common_resource_validations"
    for name, platform in pool.platforms.items():
        yield ConfigType.POD_TEMPLATE, platform.override_pod_template, f"platforms.{name}.override_pod_template"
        yield ConfigType.RESOURCE_VALIDATION, platform.resource_validations, f"platforms.{name}.resource_validations"


def _check_platforms(name: str, pool: PoolConfig, objects: Objects) -> None:
    if pool.default_platform is not None and pool.default_platform not in pool.platforms:
        raise refused(
            "default_platform",
            f"The default platform of pool {name} is {pool.default_platform}, which it does not have; "
            f"it has {', '.join(pool.platforms) or 'none'}.",
            "default_platform",
        )
    for key, platform in pool.platforms.items():
        check_name(key, "platform")
        _check_platform(name, key, pool, platform, objects)


def _check_platform(name: str, key: str, pool: PoolConfig, platform: PlatformConfig, objects: Objects) -> None:
    path = f"platforms.{key}"
    try:
        derived = derive_platform(pool, platform, objects)
    except Rejected as error:
        raise refused("bad_template", f"Platform {key} of pool {name}: {error.message}", path) from error
    except msgspec.ValidationError as error:
        raise refused("bad_shape", f"Platform {key} of pool {name}: {error}", path) from error
    for label in derived.labels:
        if not is_label_key(label):
            raise refused("label", f'Platform {key} of pool {name}: "{label}" is no label of nodes.', path)
    for toleration in derived.tolerations:
        if toleration.operator not in ("Equal", "Exists"):
            raise refused(
                "toleration",
                f'Platform {key} of pool {name}: a toleration has the operator "{toleration.operator}"; '
                "there are Equal and Exists.",
                path,
            )
    _check_images(name, key, platform_template(pool, platform, objects), path)


def _check_images(name: str, key: str, template: Template, path: str) -> None:
    """A container that the merged template adds needs an image; ours get theirs from the task."""
    spec = template.get("spec") or {}
    for container in spec.get("containers") or ():
        title = str(container.get("name", ""))
        if not container.get("image") and "{{" not in title and title != "osmo-ctrl":
            raise refused(
                "bad_template",
                f"Platform {key} of pool {name}: no template gives an image to the container {title}.",
                path,
            )
