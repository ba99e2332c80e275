"""Rules that concern the whole workflow: names, who waits for whom, what each task refers to.

`group_tasks` comes first; the others expect every task in a group.
"""

from collections.abc import Iterable, Iterator, Mapping

from osmo_domain.errors import Rejected
from osmo_domain.pool import Pool
from osmo_domain.spec.datasets import dataset_upstreams
from osmo_domain.spec.graph import find_cycle, in_order
from osmo_domain.spec.model import GroupSpec, InputSpec, ResourceSpec, TaskSpec, WorkflowSpec
from osmo_domain.spec.schema import nearest
from osmo_domain.spec.topology_rules import check_topology_keys
from osmo_domain.spec.tree import MapNode, Node, refused


def group_tasks(workflow: WorkflowSpec) -> None:
    """Put each plain task into its group `<task>-group`, and check that names are one of a kind. In place."""
    if workflow.tasks:
        workflow.groups = tuple(_own_group(task) for task in workflow.tasks)
        workflow.tasks = ()
    _check_unique(workflow)


def _own_group(task: TaskSpec) -> GroupSpec:
    task.lead = True
    return GroupSpec(source=task.source, name=f"{task.name}-group", tasks=(task,))


def all_tasks(workflow: WorkflowSpec) -> Iterator[TaskSpec]:
    for group in workflow.groups:
        yield from group.tasks


def _check_unique(workflow: WorkflowSpec) -> None:
    """Tasks and groups share one namespace, in which case and `_` against `-` make no difference."""
    seen: dict[str, str] = {}
    for group in workflow.groups:
        _claim(seen, group.name, "group", group.source)
        for task in group.tasks:
            _claim(seen, task.name, "task", task.source)


def _claim(seen: dict[str, str], name: str, what: str, source: MapNode) -> None:
    form = name.lower().replace("_", "-")
    if form in seen:
        same = "" if seen[form].endswith(f" {name}") else ", which is the same name to Kubernetes"
        raise refused(
            source.at("name"), "spec.duplicate_name", f"The {what} {name} has the name of the {seen[form]}{same}."
        )
    seen[form] = f"{what} {name}"


def check_name_lengths(workflow: WorkflowSpec, longest: int) -> None:
    named: Iterable[tuple[str, str, MapNode]] = [
        ("workflow", workflow.name, workflow.source),
        *(("group", group.name, group.source) for group in workflow.groups),
        *(("task", task.name, task.source) for task in all_tasks(workflow)),
    ]
    for what, name, source in named:
        if len(name) > longest:
            raise refused(
                source.at("name"),
                "spec.name_length",
                f"The name of the {what} {name} has {len(name)} characters; {longest} are allowed.",
                "USER",
            )


def check_task_count(workflow: WorkflowSpec, most: int) -> None:
    count = sum(len(group.tasks) for group in workflow.groups)
    if count > most:
        raise refused(
            workflow.source, "spec.too_many_tasks", f"The workflow has {count} tasks; {most} are allowed.", "USER"
        )


def apply_environment(workflow: WorkflowSpec, options: Iterable[str]) -> None:
    """`NAME=value` as given with `--set-env`, for every task, over what the spec says. In place."""
    extra: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name:
            raise Rejected("env.option", f'The variable "{option}" is not NAME=value.', error_code="USAGE")
        extra[name] = value
    if extra:
        for task in (*workflow.tasks, *all_tasks(workflow)):
            task.environment = {**task.environment, **extra}


def upstream_groups(workflow: WorkflowSpec) -> dict[str, tuple[str, ...]]:
    """Group to the groups whose tasks or datasets it takes inputs from, in an order in which producers stand first.

    Refused with `spec.unknown_task` or `spec.cycle`, class SUBMISSION.
    """
    group_of = {task.name: group.name for group in workflow.groups for task in group.tasks}
    by_dataset = dataset_upstreams(workflow)
    upstreams = {
        group.name: tuple(dict.fromkeys((*_upstreams(group, group_of), *by_dataset[group.name])))
        for group in workflow.groups
    }
    ordered = in_order([group.name for group in workflow.groups], upstreams)
    if ordered is None:
        raise _cycle(workflow, upstreams)
    return {name: upstreams[name] for name in ordered}


def _upstreams(group: GroupSpec, group_of: Mapping[str, str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for task in group.tasks:
        for given in task.inputs:
            if given.task and not given.workflow:
                found[_producer(task, given, group_of)] = None
    return tuple(found)


def _producer(task: TaskSpec, given: InputSpec, group_of: Mapping[str, str]) -> str:
    if given.task not in group_of:
        close = nearest(given.task, group_of)
        meant = f" Did you mean {close}?" if close else ""
        raise refused(
            given.source.at("task"),
            "spec.unknown_task",
            f"Task {task.name} takes its input from a task {given.task}, which does not exist.{meant}",
            "SUBMISSION",
        )
    return group_of[given.task]


def _cycle(workflow: WorkflowSpec, upstreams: Mapping[str, tuple[str, ...]]) -> Rejected:
    cycle = find_cycle(upstreams)
    source: Node = next(group.source for group in workflow.groups if group.name == cycle[0])
    shown = " -> ".join(name.removesuffix("-group") for name in cycle)
    if len(cycle) == 2:
        message = f"Tasks of {shown.split(' -> ')[0]} take inputs from their own group, which starts as a whole."
    else:
        message = f"These wait for each other in a circle: {shown}."
    return refused(source, "spec.cycle", message, "SUBMISSION")


def resolve_resources(workflow: WorkflowSpec, pool: Pool) -> dict[str, ResourceSpec]:
    """Every entry of `resources` with its platform, by name. Refused with `spec.*`, class RESOURCE or SUBMISSION."""
    resources = workflow.resources
    if resources is None:
        resources = {"default": ResourceSpec(source=workflow.source)}
    for name, resource in resources.items():
        _resolve_platform(name, resource, pool)
    check_topology_keys(resources.values(), pool)
    for task in all_tasks(workflow):
        if task.resource not in resources:
            raise _unknown_resource(task, resources)
    return resources


def _resolve_platform(name: str, resource: ResourceSpec, pool: Pool) -> None:
    if resource.platform:
        return
    if pool.default_platform is None or pool.default_platform not in pool.platforms:
        raise refused(
            resource.source,
            "spec.no_platform",
            f"Resource {name} names no platform, and pool {pool.name} has no default one; it has {_names(pool.platforms)}.",
            "RESOURCE",
        )
    resource.platform = pool.default_platform


def _unknown_resource(task: TaskSpec, resources: Mapping[str, ResourceSpec]) -> Rejected:
    if "resource" not in task.source.entries:
        message = (
            f"Task {task.name} names no resource, and `resources` has no entry `default`; it has {_names(resources)}."
        )
    else:
        message = f"Task {task.name} needs the resource {task.resource}, which `resources` does not have; it has {_names(resources)}."
    return refused(task.source.at("resource"), "spec.unknown_resource", message, "RESOURCE")


def _names(known: Iterable[str]) -> str:
    return ", ".join(known) or "none"
