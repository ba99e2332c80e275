"""From a create-group command to what each of its pods runs. Pure."""

import re
from collections.abc import Callable, Mapping

from osmo_agent.process.expansion import expand, expand_environment
from osmo_agent.process.loopback import loopback_of
from osmo_domain.command import CreateGroup
from osmo_domain.ids import pod_name, task_uuid
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_runtime.pod import PodCheckpoint, PodFile, PodInput, PodOutput, PodSpec
from osmo_runtime.pod_secrets import NO_SECRETS, PodSecrets, place_of

BARRIER_NAME = "osmo-group-ready"
_HOST = re.compile(r"\{\{ *host:([^}]+?) *\}\}")


def pod_specs(
    command: CreateGroup, router_url: str, service_url: str = "", secrets: Mapping[str, PodSecrets] | None = None
) -> list[PodSpec]:
    """One spec per task in `retry_ids`, in the plan's order; `command.group` is set. No text of it but `secrets` holds a secret value."""
    group = command.group
    assert group is not None, "the agent fills in the group before it calls a runtime"
    wanted = [task for task in group.tasks if task.name in command.retry_ids]
    given = secrets or {}
    return [
        _pod_spec(command, group, task, router_url, service_url, given.get(task.name, NO_SECRETS)) for task in wanted
    ]


def _pod_spec(
    command: CreateGroup, group: GroupPlan, task: TaskPlan, router_url: str, service_url: str, secrets: PodSecrets
) -> PodSpec:
    with_hosts = _hosts_filled_in(command.workflow_uuid, group)
    environment = expand_environment({name: with_hosts(value) for name, value in task.environment.items()})
    named = {**environment, **{name: place_of(name) for name in secrets.environment}}
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
        command=tuple(expand(with_hosts(word), named) for word in task.command),
        args=tuple(expand(with_hosts(word), named) for word in task.args),
        router_url=router_url,
        token=command.tokens.get(task.name, ""),
        environment=environment,
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
        service_url=service_url,
        secrets=secrets,
    )


def _contents(contents: str, base64: bool, with_hosts: Callable[[str], str]) -> str:
    return contents if base64 else with_hosts(contents)


def _hosts_filled_in(workflow_uuid: str, group: GroupPlan) -> Callable[[str], str]:
    """`{{host:task}}` becomes the address of that task of the same group; other names stay as written."""
    hosts = {task.name: loopback_of(workflow_uuid, task.name) for task in group.tasks}
    return lambda text: _HOST.sub(lambda found: hosts.get(found[1], found[0]), text)
