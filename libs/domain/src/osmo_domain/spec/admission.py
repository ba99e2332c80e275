"""Whether a pool can ever run what a workflow asks for. Pure: the nodes are those that are known now.

What could run when others are done is admitted, and waits; so is everything while no node of the platform is known.
"""

from collections.abc import Collection, Iterable, Mapping

from osmo_domain.cluster import NodeFact
from osmo_domain.clusters import node_in_platform
from osmo_domain.pool import Platform, Pool, Priority
from osmo_domain.quantities import show_bytes
from osmo_domain.spec.model import GroupSpec, ResourceSpec, TaskSpec, WorkflowSpec
from osmo_domain.spec.rules import all_tasks
from osmo_domain.spec.tree import refused

Amounts = tuple[int, int, int, int]
"""GPUs, CPUs, memory, storage."""

_KEYS = ("gpu", "cpu", "memory", "storage")
_WORDS = ("GPUs", "CPUs", "of memory", "of storage")


def check_guarantee(
    workflow: WorkflowSpec, resources: Mapping[str, ResourceSpec], pool: Pool, priority: Priority
) -> None:
    """HIGH and NORMAL stay within what the pool guarantees, LOW within its maximum: a larger group could never start."""
    if pool.gpu is None:
        return
    for group in workflow.groups:
        asked = _gpus(group, resources)
        if -1 < pool.gpu.maximum < asked:
            raise refused(
                group.source,
                "admission.maximum",
                f"Group {group.name} needs {asked} GPUs at once, and pool {pool.name} may use {pool.gpu.maximum} at most.",
            )
        guarantee = pool.gpu.guarantee
        if priority is not Priority.LOW and -1 < guarantee < asked:
            raise refused(
                group.source,
                "admission.guarantee",
                f"Group {group.name} needs {asked} GPUs at once, and pool {pool.name} guarantees {guarantee}; "
                "only priority LOW may use more.",
            )


def _gpus(group: GroupSpec, resources: Mapping[str, ResourceSpec]) -> int:
    return sum(resources[task.resource].gpu or 0 for task in group.tasks)


def admit(
    workflow: WorkflowSpec, resources: Mapping[str, ResourceSpec], pool: Pool, nodes: Iterable[NodeFact]
) -> list[str]:
    """Warnings. Refused with `admission.*`: class RESOURCE, or USER for amounts that no rule allows."""
    known = nodes if isinstance(nodes, Collection) else list(nodes)
    warnings: list[str] = []
    for name, resource in resources.items():
        platform = _platform(name, resource, pool)
        _check_amounts(name, resource)
        users = [task.name for task in all_tasks(workflow) if task.resource == name]
        if users:
            warnings += _check_fit(users[0], resource, known, platform, pool)
    for task in all_tasks(workflow):
        _check_privileges(task, resources[task.resource].platform, pool)
    return warnings


def _platform(name: str, resource: ResourceSpec, pool: Pool) -> Platform:
    platform = pool.platforms.get(resource.platform)
    if platform is None:
        raise refused(
            resource.source.at("platform"),
            "admission.platform",
            f"Resource {name} wants the platform {resource.platform}, which pool {pool.name} does not have; "
            f"it has {', '.join(pool.platforms) or 'none'}.",
            "RESOURCE",
        )
    return platform


def _amounts(resource: ResourceSpec) -> Amounts:
    return resource.gpu or 0, resource.cpu or 0, resource.memory or 0, resource.storage or 0


def _offered(node: NodeFact, platform: Platform) -> Amounts:
    """What the node could give to one task, beside its control container, if none of ours ran there."""
    control = platform.control
    return (
        max(node.gpu - node.used_gpu, 0),
        max(int(node.cpu - node.used_cpu - control.cpu), 0),
        max(node.memory_bytes - node.used_memory_bytes - control.memory_bytes, 0),
        max(node.storage_bytes - node.used_storage_bytes - control.storage_bytes, 0),
    )


def _check_amounts(name: str, resource: ResourceSpec) -> None:
    for key, asked in zip(_KEYS, _amounts(resource), strict=True):
        if asked < 0:
            raise refused(
                resource.source.at(key), "admission.negative", f"Resource {name} asks for {asked} {key}.", "USER"
            )


def _check_fit(
    task: str, resource: ResourceSpec, nodes: Iterable[NodeFact], platform: Platform, pool: Pool
) -> list[str]:
    """Looks no further than the first node that will do: a submission costs the same on ten nodes and on ten thousand."""
    asked = _amounts(resource)
    offers: list[Amounts] = []
    excluded = False
    for node in nodes:
        if not node_in_platform(node, platform):
            continue
        offers.append(_offered(node, platform))
        if all(a <= o for a, o in zip(asked, offers[-1], strict=True)):
            if node.name not in resource.nodes_excluded:
                return []
            excluded = True
    if excluded:
        return [f"Task {task} fits only on nodes that it excludes: it will wait until there are others."]
    if offers:
        raise _too_large(task, resource, asked, offers)
    nobody = f"No node of platform {resource.platform} of pool {pool.name} is there now"
    return [f"{nobody}: task {task} will wait until one comes."]


def _too_large(task: str, resource: ResourceSpec, asked: Amounts, offers: list[Amounts]) -> Exception:
    for number, key in enumerate(_KEYS):
        largest = max(offer[number] for offer in offers)
        if asked[number] > largest:
            return refused(
                resource.source.at(key),
                "admission.too_large",
                f"Task {task} asks for {_shown(number, asked[number])}; the largest that a node of platform "
                f"{resource.platform} can give is {_shown(number, largest)}.",
                "RESOURCE",
            )
    return refused(
        resource.source,
        "admission.too_large",
        f"Task {task} asks for {_shown_all(asked)} at once, and no node of platform {resource.platform} has them together; "
        f"the largest has {_shown_all(max(offers))}.",
        "RESOURCE",
    )


def _shown(number: int, amount: int) -> str:
    return f"{amount if number < 2 else show_bytes(amount)} {_WORDS[number]}"


def _shown_all(amounts: Amounts) -> str:
    return ", ".join(_shown(number, amount) for number, amount in enumerate(amounts) if amount)


def _check_privileges(task: TaskSpec, platform_name: str, pool: Pool) -> None:
    platform = pool.platforms[platform_name]
    for wanted, allowed, key in (
        (task.privileged, platform.privileged_allowed, "privileged"),
        (task.host_network, platform.host_network_allowed, "hostNetwork"),
    ):
        if wanted and not allowed:
            raise refused(
                task.source.at(key),
                "admission.privilege",
                f"Task {task.name} wants `{key}`, which platform {platform_name} does not allow.",
                "RESOURCE",
            )
    for mount in task.volume_mounts:
        _check_mount(task, mount, platform_name, platform)


def _check_mount(task: TaskSpec, mount: str, platform_name: str, platform: Platform) -> None:
    source, colon, destination = mount.partition(":")
    node = task.source.at("volumeMounts")
    if not source or ":" in destination or (colon and not destination):
        raise refused(node, "admission.mount", f'"{mount}" is not source or source:destination.', "RESOURCE")
    if source in platform.allowed_mounts:
        return
    if source in platform.default_mounts:
        why = f"platform {platform_name} mounts it already"
    else:
        why = f"platform {platform_name} allows {', '.join(platform.allowed_mounts) or 'none'}"
    raise refused(node, "admission.mount", f"Task {task.name} cannot mount {source}: {why}.", "RESOURCE")
