"""A spec from a plan, for running a workflow again: whole, or only what failed. Nothing that was redacted or rendered is needed."""

import re
from collections.abc import Collection
from typing import Final

from osmo_domain.plan import DatasetUse, GroupPlan, InputPlan, OutputPlan, Plan, Resources, TaskPlan
from osmo_domain.pool import Pool
from osmo_domain.spec.model import (
    CheckpointSpec,
    DatasetSpec,
    FileSpec,
    GroupSpec,
    InputSpec,
    KpiSpec,
    OutputSpec,
    ResourceSpec,
    TaskSpec,
    TimeoutSpec,
    TopologySpec,
    WorkflowSpec,
)
from osmo_domain.spec.tree import MapNode

_NOWHERE: Final = MapNode({}, 0, 0)
_ESCAPED: Final = re.compile(r"\\(.)")


def spec_again(plan: Plan, pool: Pool) -> WorkflowSpec:
    """The spec that would give this plan, as far as a plan remembers. In another pool, platforms that it lacks become its default one."""
    resources: dict[Resources, str] = {}
    groups = tuple(_group(group, resources) for group in plan.groups)
    return WorkflowSpec(
        source=_NOWHERE,
        name=plan.name,
        groups=groups,
        resources={name: _resource(one, pool) for one, name in resources.items()},
        timeout=TimeoutSpec(_NOWHERE, plan.exec_timeout_s, plan.queue_timeout_s),
        labels=plan.labels,
    )


def keep_groups(workflow: WorkflowSpec, kept: Collection[str], workflow_id: str) -> None:
    """Only these groups; what they took from the others they take from the workflow `workflow_id`, where it was made. In place."""
    workflow.groups = tuple(group for group in workflow.groups if group.name in kept)
    here = {task.name for group in workflow.groups for task in group.tasks}
    for group in workflow.groups:
        for task in group.tasks:
            for given in task.inputs:
                if given.task and not given.workflow and given.task not in here:
                    given.workflow = workflow_id


def _group(group: GroupPlan, resources: dict[Resources, str]) -> GroupSpec:
    return GroupSpec(
        source=_NOWHERE,
        name=group.name,
        tasks=tuple(_task(task, resources) for task in group.tasks),
        barrier=group.barrier,
        ignore_nonlead_status=group.ignore_nonlead_status,
    )


def _task(task: TaskPlan, resources: dict[Resources, str]) -> TaskSpec:
    return TaskSpec(
        source=_NOWHERE,
        name=task.name,
        image=task.image,
        command=task.command,
        args=task.args,
        lead=task.lead,
        environment=dict(task.environment),
        credentials=dict(task.credentials),
        inputs=tuple(_input(one) for one in task.inputs),
        outputs=tuple(_output(one) for one in task.outputs if one.dataset is not None or not one.intermediate),
        files=tuple(FileSpec(_NOWHERE, one.path, one.contents, one.base64) for one in task.files),
        kpis=tuple(_kpi(one) for one in task.outputs if one.intermediate and one.regex and not one.dataset),
        checkpoint=tuple(
            CheckpointSpec(_NOWHERE, one.path, one.url, one.frequency_s, one.regex) for one in task.checkpoints
        ),
        exit_actions=task.exit_actions,
        volume_mounts=task.volume_mounts,
        privileged=task.privileged,
        host_network=task.host_network,
        resource=resources.setdefault(task.resources, f"resource-{len(resources)}"),
    )


def _input(given: InputPlan) -> InputSpec:
    if given.dataset is not None:
        return InputSpec(_NOWHERE, task=given.task, workflow=given.workflow, dataset=_dataset(given.dataset))
    if given.task:
        return InputSpec(_NOWHERE, task=given.task, workflow=given.workflow, regex=given.regex)
    return InputSpec(_NOWHERE, url=given.url, regex=given.regex)


def _output(output: OutputPlan) -> OutputSpec:
    if output.dataset is not None:
        return OutputSpec(_NOWHERE, dataset=_dataset(output.dataset))
    return OutputSpec(_NOWHERE, url=output.url, regex=output.regex)


def _dataset(use: DatasetUse) -> DatasetSpec:
    return DatasetSpec(_NOWHERE, name=use.name, regex=use.regex, path=use.path)


def _kpi(output: OutputPlan) -> KpiSpec:
    return KpiSpec(_NOWHERE, index="", path=_ESCAPED.sub(r"\1", output.regex.removesuffix("$")))


def _resource(resources: Resources, pool: Pool) -> ResourceSpec:
    return ResourceSpec(
        source=_NOWHERE,
        cpu=resources.cpu,
        gpu=resources.gpu,
        memory=resources.memory_bytes,
        storage=resources.storage_bytes,
        platform=resources.platform if resources.platform in pool.platforms else "",
        nodes_excluded=resources.nodes_excluded,
        topology=tuple(
            TopologySpec(_NOWHERE, each.key, each.group, "required" if each.required else "preferred")
            for each in resources.topology
        ),
    )
