"""What the configuration says about the pods of a group at the moment when it is given a place: what an agent needs beside the plan.

An agent reads no configuration: whatever of it concerns a pod travels with the command that makes it. Templates travel as they are
merged, not rendered: their variables are those of the single task (spec 4.6).
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from osmo_domain.config import Catalogue
from osmo_domain.configuration.kinds import ConfigType, single_name
from osmo_domain.configuration.pod_templates import Template
from osmo_domain.plan import TaskPlan
from osmo_domain.pool import Pool, Priority, Toleration


class PlatformPods(Struct, frozen=True, omit_defaults=True):
    """How pods of one platform are made. `variables` are the pool's and the platform's together; what the user asked for goes before them."""

    template: Template = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """What its nodes carry: the pod selects by them."""
    tolerations: tuple[Toleration, ...] = ()


class PodMaking(Struct, frozen=True, omit_defaults=True):
    """`platforms` holds those of the group's tasks; `default_platform` is that of tasks that name none. `labels` are the workflow's, with
    the prefix that they have on pods.

    An empty image means the agent's own setting.
    """

    priority: Priority = Priority.NORMAL
    platforms: dict[str, PlatformPods] = field(default_factory=dict)
    default_platform: str = ""
    group_templates: tuple[Template, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    init_image: str = ""
    client_image: str = ""


def pod_making(
    catalogue: Catalogue, pool: str, tasks: Iterable[TaskPlan], priority: Priority, labels: dict[str, str]
) -> PodMaking:
    """For a pool or a platform that was deleted meanwhile nothing is said: the pods are made without it."""
    found = catalogue.pools.get(pool)
    names = dict.fromkeys(platform_of(task, found) for task in tasks)
    settings = catalogue.objects[ConfigType.WORKFLOW].get(single_name(ConfigType.WORKFLOW), {})
    images = settings.get("backend_images") or {}
    return PodMaking(
        priority=priority,
        platforms={name: _platform(catalogue, found, name) for name in names if found and name in found.platforms},
        default_platform=(found.default_platform or "") if found else "",
        group_templates=tuple(catalogue.group_templates(pool)),
        labels={catalogue.workflow.labels_config.pod_label_prefix + key: value for key, value in labels.items()},
        init_image=images.get("init", ""),
        client_image=images.get("client", ""),
    )


def platform_of(task: TaskPlan, pool: Pool | None) -> str:
    """The platform that the task runs on: the one that it names, or the pool's default."""
    return task.resources.platform or (pool.default_platform or "" if pool is not None else "")


def _platform(catalogue: Catalogue, pool: Pool, name: str) -> PlatformPods:
    platform = pool.platforms[name]
    return PlatformPods(
        template=catalogue.pod_template(pool.name, name),
        variables=platform.variables,
        labels=platform.labels,
        tolerations=platform.tolerations,
    )
