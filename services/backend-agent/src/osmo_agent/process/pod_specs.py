"""From a create-group command to what each of its pods runs on this machine. Pure."""

from collections.abc import Mapping

import msgspec

from osmo_agent import pod_specs as shared
from osmo_agent.process.expansion import expand, expand_environment
from osmo_agent.process.loopback import loopback_of
from osmo_domain.command import CreateGroup
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import PodSecrets, place_of


def pod_specs(
    command: CreateGroup, router_url: str, service_url: str = "", secrets: Mapping[str, PodSecrets] | None = None
) -> list[PodSpec]:
    """As osmo_agent.pod_specs makes them, with addresses of this machine and `$(NAME)` expanded."""
    around = shared.Surroundings(router_url, service_url, _host)
    return [_expanded(spec) for spec in shared.pod_specs(command, around, secrets)]


def _host(workflow_uuid: str, _group: str, task: str) -> str:
    return loopback_of(workflow_uuid, task)


def _expanded(spec: PodSpec) -> PodSpec:
    environment = expand_environment(spec.environment)
    named = {**environment, **{name: place_of(name) for name in spec.secrets.environment}}
    return msgspec.structs.replace(
        spec,
        environment=environment,
        command=tuple(expand(word, named) for word in spec.command),
        args=tuple(expand(word, named) for word in spec.args),
    )
