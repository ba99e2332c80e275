"""What pods cannot share: `file://` is a disk of one machine, and every pod of a cluster has its own."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from osmo_domain.cluster import KUBERNETES
from osmo_domain.errors import Rejected
from osmo_domain.plan import GroupPlan, Plan, TaskPlan

CODE: Final = "data.not_shared"
_FILE: Final = "file://"


def check_shared(plan: Plan, runtime: str) -> None:
    """Refused with `data.not_shared` where tasks of a Kubernetes backend would have to see each other's disks."""
    if runtime != KUBERNETES:
        return
    for task in _tasks(plan):
        for given in task.inputs:
            if given.url.startswith(_FILE) and given.task:
                raise _refused(
                    f"Task {task.name} takes the data of task {given.task}, but this installation keeps data between tasks "
                    f"on a disk of one machine, which pods of backend {plan.backend} do not share. "
                    "Its administrator can have it kept in object storage (WORKFLOW config, `workflow_data.credential`)."
                )
        for url in _written(task):
            if url.startswith(_FILE):
                raise _refused(
                    f"Task {task.name} names {url}, but pods of backend {plan.backend} share no disk: name a place in object storage."
                )


def without_lost_copies(plan: Plan, runtime: str) -> Plan:
    """The plan without copies for other tasks that would be gone together with their pod. Call when `check_shared` has passed."""
    if runtime != KUBERNETES or not any(
        _is_lost(output.url, output.intermediate) for one in _tasks(plan) for output in one.outputs
    ):
        return plan
    return replace(plan, groups=tuple(_without(group) for group in plan.groups))


def _without(group: GroupPlan) -> GroupPlan:
    return replace(
        group,
        tasks=tuple(
            replace(task, outputs=tuple(one for one in task.outputs if not _is_lost(one.url, one.intermediate)))
            for task in group.tasks
        ),
    )


def _is_lost(url: str, intermediate: bool) -> bool:
    return intermediate and url.startswith(_FILE)


def _tasks(plan: Plan) -> Iterable[TaskPlan]:
    return (task for group in plan.groups for task in group.tasks)


def _written(task: TaskPlan) -> Iterable[str]:
    """URLs that stand in the user's own text."""
    yield from (given.url for given in task.inputs if not given.task)
    yield from (output.url for output in task.outputs if not output.intermediate)
    yield from (checkpoint.url for checkpoint in task.checkpoints)


def _refused(message: str) -> Rejected:
    return Rejected(CODE, message, error_code="CREDENTIAL")
