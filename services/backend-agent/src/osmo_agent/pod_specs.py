"""From a create-group command to what each of its pods runs, the same for every runtime. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from osmo_domain.command import CreateGroup
from osmo_domain.ids import pod_name, task_uuid
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_runtime.pod import PodCheckpoint, PodFile, PodInput, PodOutput, PodSpec
from osmo_runtime.pod_secrets import NO_SECRETS, PodSecrets

BARRIER_NAME = "osmo-group-ready"
_HOST = re.compile(r"\{\{ *host:([^}]+?) *\}\}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a runtime adds to a plan: where pods find log-router and the service, and the address of a task (workflow uuid, group, task)."""

    router_url: str
    service_url: str
    host: Callable[[str, str, str], str]


def pod_specs(
    command: CreateGroup, around: Surroundings, secrets: Mapping[str, PodSecrets] | None = None
) -> list[PodSpec]:
    """One spec per task in `retry_ids`, in the plan's order; `command.group` is set. No text of it but `secrets` holds a secret value.

    `{{host:task}}` is filled in, `$(NAME)` stays as written: that is the runtime's.
    """
    group = command.group
    assert group is not None, "the agent fills in the group before it calls a runtime"
    wanted = [task for task in group.tasks if task.name in command.retry_ids]
    given = secrets or {}
    return [_pod_spec(command, group, task, around, given.get(task.name, NO_SECRETS)) for task in wanted]


def _pod_spec(
    command: CreateGroup, group: GroupPlan, task: TaskPlan, around: Surroundings, secrets: PodSecrets
) -> PodSpec:
    with_hosts = _hosts_filled_in(command.workflow_uuid, group, around.host)
    barrier = group.barrier and len(group.tasks) > 1
    return PodSpec(
        workflow_id=command.workflow_id,
        workflow_uuid=command.workflow_uuid,
        group=group.name,
        task=task.name,
        task_uuid=task_uuid(command.workflow_uuid, task.name),
        retry_id=command.retry_ids[task.name],
        pod_name=pod_name(command.workflow_uuid, task.name),
        image=task.image,
        command=tuple(map(with_hosts, task.command)),
        args=tuple(map(with_hosts, task.args)),
        router_url=around.router_url,
        token=command.tokens.get(task.name, ""),
        environment={name: with_hosts(value) for name, value in task.environment.items()},
        files=tuple(
            PodFile(each.path, _contents(each.contents, each.base64, with_hosts), each.base64) for each in task.files
        ),
        inputs=tuple(PodInput(each.url, each.regex, each.task) for each in task.inputs),
        outputs=tuple(PodOutput(each.url, each.regex, each.intermediate) for each in task.outputs),
        checkpoints=tuple(
            PodCheckpoint(each.path, each.url, each.frequency_s, each.regex) for each in task.checkpoints
        ),
        barrier=BARRIER_NAME if barrier else "",
        gpu=task.resources.gpu,
        user=command.user,
        service_url=around.service_url,
        secrets=secrets,
    )


def _contents(contents: str, base64: bool, with_hosts: Callable[[str], str]) -> str:
    return contents if base64 else with_hosts(contents)


def _hosts_filled_in(
    workflow_uuid: str, group: GroupPlan, host: Callable[[str, str, str], str]
) -> Callable[[str], str]:
    """`{{host:task}}` becomes the address of that task of the same group; other names stay as written."""
    hosts = {task.name: host(workflow_uuid, group.name, task.name) for task in group.tasks}
    return lambda text: _HOST.sub(lambda found: hosts.get(found[1], found[0]), text)
