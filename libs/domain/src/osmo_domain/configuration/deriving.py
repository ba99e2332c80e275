"""What follows from config objects: the pools and backends that the rest of the house works with."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from osmo_domain.configuration.kinds import ConfigType, Objects
from osmo_domain.configuration.pod_templates import (
    Template,
    control_requests,
    merge_templates,
    mount_paths,
    node_labels,
    tolerations,
)
from osmo_domain.configuration.shapes import BackendConfig, PlatformConfig, PoolConfig, PoolGpu
from osmo_domain.configuration.times import length_or_none, length_text
from osmo_domain.pool import Backend, Platform, Pool, ResourceAssertion


def derive_pool(name: str, value: Any, objects: Objects) -> Pool:
    """The pool with everything that its templates and validations say. Names of what does not exist are passed over.

    Raises Rejected, or msgspec.ValidationError, for an object that no check has let in.
    """
    config = msgspec.convert(value, PoolConfig)
    return Pool(
        name=name,
        backend=config.backend,
        description=config.description,
        enable_maintenance=config.enable_maintenance,
        default_platform=config.default_platform,
        platforms={key: derive_platform(config, one, objects) for key, one in config.platforms.items()},
        gpu=config.resources.gpu,
        default_exec_timeout_s=length_or_none(config.default_exec_timeout),
        default_queue_timeout_s=length_or_none(config.default_queue_timeout),
        max_exec_timeout_s=length_or_none(config.max_exec_timeout),
        max_queue_timeout_s=length_or_none(config.max_queue_timeout),
        default_exit_actions=config.default_exit_actions,
        topology_keys=config.topology_keys,
        max_num_tasks=config.max_num_tasks,
        max_num_workflows=config.max_num_workflows,
    )


def derive_platform(pool: PoolConfig, platform: PlatformConfig, objects: Objects) -> Platform:
    template = platform_template(pool, platform, objects)
    return Platform(
        description=platform.description,
        labels={**node_labels(template), **platform.node_selector},
        host_network_allowed=platform.host_network_allowed,
        privileged_allowed=platform.privileged_allowed,
        allowed_mounts=platform.allowed_mounts,
        default_mounts=tuple(dict.fromkeys((*mount_paths(template), *platform.node_mounts))),
        tolerations=(*tolerations(template), *platform.node_tolerations),
        variables={**pool.common_default_variables, **platform.default_variables},
        assertions=platform_assertions(pool, platform, objects),
        control=control_requests(template),
    )


def platform_template(pool: PoolConfig, platform: PlatformConfig, objects: Objects) -> Template:
    """The pool's templates, then the platform's, merged; not rendered."""
    names = (*pool.common_pod_template, *platform.override_pod_template)
    return merge_templates(_existing(names, objects[ConfigType.POD_TEMPLATE].get))


def pool_template(pool: PoolConfig, objects: Objects) -> Template:
    return merge_templates(_existing(pool.common_pod_template, objects[ConfigType.POD_TEMPLATE].get))


def group_templates(pool: PoolConfig, objects: Objects) -> list[Template]:
    """The pool's group templates in order; those of one apiVersion, kind and name merged into one."""
    merged: dict[tuple[str, str, str], list[Template]] = {}
    for template in _existing(pool.common_group_templates, objects[ConfigType.GROUP_TEMPLATE].get):
        metadata = template.get("metadata") or {}
        identity = (str(template.get("apiVersion")), str(template.get("kind")), str(metadata.get("name")))
        merged.setdefault(identity, []).append(template)
    return [merge_templates(same) for same in merged.values()]


def platform_assertions(
    pool: PoolConfig, platform: PlatformConfig | None, objects: Objects
) -> tuple[ResourceAssertion, ...]:
    """The pool's rules, then the platform's."""
    names = (*pool.common_resource_validations, *(platform.resource_validations if platform else ()))
    lists = _existing(names, objects[ConfigType.RESOURCE_VALIDATION].get)
    return tuple(msgspec.convert(one, ResourceAssertion) for rules in lists for one in rules)


def _existing(names: Iterable[str], find: Callable[[str], Any]) -> list[Any]:
    return [found for name in names if (found := find(name)) is not None]


def derive_backend(name: str, value: Any) -> Backend:
    config = msgspec.convert(value, BackendConfig)
    return Backend(
        name=name,
        description=config.description,
        dashboard_url=config.dashboard_url,
        grafana_url=config.grafana_url,
        router_address=config.router_address,
        node_conditions=dict(config.node_conditions.rules or {}),
    )


def pool_config(pool: Pool) -> dict[str, Any]:
    """The object that gives this pool: how pools that were set as they are (seeds) are shown and changed like any other."""
    config = PoolConfig(
        backend=pool.backend,
        name=pool.name,
        description=pool.description,
        enable_maintenance=pool.enable_maintenance,
        default_platform=pool.default_platform,
        default_exec_timeout=length_text(pool.default_exec_timeout_s),
        default_queue_timeout=length_text(pool.default_queue_timeout_s),
        max_exec_timeout=length_text(pool.max_exec_timeout_s),
        max_queue_timeout=length_text(pool.max_queue_timeout_s),
        default_exit_actions=pool.default_exit_actions,
        resources=PoolGpu(pool.gpu),
        topology_keys=pool.topology_keys,
        platforms={name: _platform_config(one) for name, one in pool.platforms.items()},
        max_num_tasks=pool.max_num_tasks,
        max_num_workflows=pool.max_num_workflows,
    )
    plain: dict[str, Any] = msgspec.to_builtins(config)
    return plain


def _platform_config(platform: Platform) -> PlatformConfig:
    return PlatformConfig(
        description=platform.description,
        host_network_allowed=platform.host_network_allowed,
        privileged_allowed=platform.privileged_allowed,
        allowed_mounts=platform.allowed_mounts,
        default_variables=platform.variables,
        node_selector=platform.labels,
        node_tolerations=platform.tolerations,
        node_mounts=platform.default_mounts,
    )


def backend_config(backend: Backend) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(BackendConfig(description=backend.description))
    return plain
