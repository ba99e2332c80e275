"""From a create-group command to the objects of its group: Secrets, a Service, the group templates' objects, Pods (spec 3.1, 4.6, 4.7). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from osmo_agent.kubernetes import containers
from osmo_agent.kubernetes.attempt_secrets import AttemptSecrets, attempt_secrets, pull_secret
from osmo_agent.kubernetes.cluster_settings import ClusterSettings
from osmo_agent.kubernetes.names import (
    FINALIZER,
    GROUP_OBJECTS,
    GROUP_UUID,
    full_names,
    group_labels,
    pull_secret_name,
    service_name,
    task_labels,
    user_container,
)
from osmo_agent.kubernetes.placing import place_on
from osmo_agent.kubernetes.templates import group_variables, named_only, rendered, task_variables
from osmo_agent.kubernetes.volumes import EMPTY, POD_JSON, SECRET_VOLUME, SECRETS_JSON, mount
from osmo_agent.pod_specs import Surroundings, pod_specs
from osmo_domain.command import CreateGroup
from osmo_domain.configuration.pod_templates import Template, merge_pod, pod_spec
from osmo_domain.ids import group_uuid, task_uuid
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_domain.pod_making import PlatformPods, PodMaking
from osmo_domain.pool import Toleration
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import PodSecrets

Object = dict[str, Any]

_NO_PLATFORM: Final = PlatformPods()


@dataclass(frozen=True, slots=True)
class PodObjects:
    """One attempt: its Secrets, then its Pod."""

    spec: PodSpec
    secrets: list[Object]
    pod: Object


@dataclass(frozen=True, slots=True)
class GroupObjects:
    """`shared` is what all pods of the group need: it comes before them and goes after them."""

    labels: dict[str, str]
    shared: list[Object]
    pods: list[PodObjects]


def group_objects(command: CreateGroup, secrets: Mapping[str, PodSecrets], settings: ClusterSettings) -> GroupObjects:
    """Refused (`template.*`) where a template cannot be rendered. `command.group` is set."""
    group = command.group
    assert group is not None, "the agent fills in the group before it calls a runtime"
    making = command.pods or PodMaking()
    labels = group_labels(settings.backend, command)
    logins = [login for each in secrets.values() for login in each.registries]
    pull = pull_secret(pull_secret_name(command.workflow_uuid, group.name), labels, logins)
    service = _service(command, labels) if len(group.tasks) > 1 else None
    shared = [each for each in (pull, service) if each is not None]
    shared += group_template_objects(making, labels)
    around = Surroundings(settings.router_url, settings.service_url, partial(host, settings))
    tasks = {task.name: task for task in group.tasks}
    maker = _Maker(command, group, making, settings, _named(shared), pull_name=pull["metadata"]["name"] if pull else "")
    pods = [maker.pod(spec, tasks[spec.task]) for spec in pod_specs(command, around, secrets)]
    return GroupObjects(labels, shared, pods)


def host(settings: ClusterSettings, workflow_uuid: str, group: str, task: str) -> str:
    """What `{{host:task}}` becomes: the pod's name in the group's headless service."""
    subdomain = f"osmo-{group_uuid(workflow_uuid, group)}"
    return f"{task_uuid(workflow_uuid, task)}.{subdomain}.{settings.namespace}.svc.{settings.domain}"


def _service(command: CreateGroup, labels: Mapping[str, str]) -> Object:
    """Headless: a name for each pod of the group, from the moment when it has an address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service_name(command.workflow_uuid, command.group_name), "labels": dict(labels)},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {GROUP_UUID: labels[GROUP_UUID]},
        },
    }


def group_template_objects(making: PodMaking, labels: Mapping[str, str]) -> list[Object]:
    """One object for each (apiVersion, kind, name), from all templates of it in their order."""
    merged: dict[tuple[str, str, str], Template] = {}
    for template in making.group_templates:
        made = named_only(rendered(template, group_variables(labels)))
        key = (str(made.get("apiVersion")), str(made.get("kind")), str(made["metadata"].get("name")))
        merged[key] = merge_pod(merged.get(key, {}), made)
    return [_labelled(each, making.labels, labels) for each in merged.values()]


def _labelled(made: Object, under: Mapping[str, str], over: Mapping[str, str]) -> Object:
    metadata = made["metadata"]
    return {**made, "metadata": {**metadata, "labels": {**under, **(metadata.get("labels") or {}), **over}}}


def _named(shared: Sequence[Object]) -> str:
    return ",".join(f"{each['apiVersion']} {each['kind']} {each['metadata']['name']}" for each in shared)


@dataclass(frozen=True, slots=True)
class _Maker:
    command: CreateGroup
    group: GroupPlan
    making: PodMaking
    settings: ClusterSettings
    shared: str
    pull_name: str

    def pod(self, spec: PodSpec, task: TaskPlan) -> PodObjects:
        platform_name = task.resources.platform or self.making.default_platform
        platform = self.making.platforms.get(platform_name, _NO_PLATFORM)
        labels = task_labels(self.settings.backend, self.command, task.name, platform_name, task.lead)
        secrets = attempt_secrets(spec, labels)
        template = rendered(platform.template, task_variables(task, platform.variables, labels))
        merged = merge_pod(self._plain(spec, task, secrets, platform, template), named_only(template))
        return PodObjects(spec, secrets.objects, self._asserted(merged, spec, task, labels))

    def _plain(
        self, spec: PodSpec, task: TaskPlan, secrets: AttemptSecrets, platform: PlatformPods, template: Template
    ) -> Object:
        """Before the template, with what it may change."""
        runtime, making = self.settings.image, self.making
        grace_s = pod_spec(template).get("terminationGracePeriodSeconds", self.settings.grace_s)
        user = containers.user(spec, task, secrets, self.settings)
        ctrl = containers.ctrl(task, secrets, making.client_image or runtime, self.settings, grace_s)
        made: Object = {
            "containers": [user, ctrl],
            "initContainers": [containers.init(spec, task, making.init_image or runtime, self.settings)],
            "volumes": _volumes(secrets),
            "terminationGracePeriodSeconds": self.settings.grace_s,
        }
        if self.pull_name:
            made["imagePullSecrets"] = [{"name": self.pull_name}]
        if task.host_network:
            made |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
        if platform.labels:
            made["nodeSelector"] = dict(platform.labels)
        return {"metadata": {"labels": {**making.labels, **platform.labels}}, "spec": made}

    def _asserted(self, merged: Object, spec: PodSpec, task: TaskPlan, labels: Mapping[str, str]) -> Object:
        """What no template changes."""
        metadata = merged["metadata"]
        annotations = {
            **(metadata.get("annotations") or {}),
            **full_names(self.command, task.name),
            "pod-group-name": labels[GROUP_UUID],
            GROUP_OBJECTS: self.shared,
        }
        name = user_container(task.name)
        pod = with_host_mounts(with_default_resources(merged["spec"], name, task), name, task)
        pod |= {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "tolerations": _tolerations(pod.get("tolerations") or [], self._platform(task).tolerations),
        }
        if len(self.group.tasks) > 1:
            subdomain = service_name(self.command.workflow_uuid, self.group.name)
            pod |= {"hostname": spec.task_uuid, "subdomain": subdomain}
        if node := self.command.nodes.get(task.name):
            pod["affinity"] = place_on(pod.get("affinity") or {}, node)
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **metadata,
                "name": spec.pod_name,
                "labels": {**(metadata.get("labels") or {}), **labels},
                "annotations": annotations,
                "finalizers": [*(metadata.get("finalizers") or []), FINALIZER],
            },
            "spec": pod,
        }

    def _platform(self, task: TaskPlan) -> PlatformPods:
        return self.making.platforms.get(task.resources.platform or self.making.default_platform, _NO_PLATFORM)


def _volumes(secrets: AttemptSecrets) -> list[Object]:
    held: dict[str, list[str]] = {}
    for holder, key in secrets.files.values():
        held.setdefault(holder, []).append(key)
    attempt = secrets.objects[0]["metadata"]["name"]
    return [
        *({"name": name, "emptyDir": {}} for name in EMPTY),
        _secret_volume(SECRET_VOLUME, attempt, [POD_JSON, SECRETS_JSON]),
        *(_secret_volume(containers.files_volume(holder), holder, keys) for holder, keys in held.items()),
    ]


def _secret_volume(volume: str, secret: str, keys: Sequence[str]) -> Object:
    """These keys of the Secret alone: the user's container sees nothing of the rest."""
    items = [{"key": key, "path": key} for key in keys]
    return {"name": volume, "secret": {"secretName": secret, "items": items}}


def with_default_resources(pod: Object, user: str, task: TaskPlan) -> Object:
    made = [
        {**each, "resources": containers.default_resources(task.resources)}
        if each.get("name") == user and not each.get("resources")
        else each
        for each in pod["containers"]
    ]
    return {**pod, "containers": made}


def with_host_mounts(pod: Object, user: str, task: TaskPlan) -> Object:
    """The folders of the node that the task asks for; where the template mounts something already, that stays."""
    mounts, volumes = [], []
    there = {each.get("mountPath") for c in pod["containers"] if c["name"] == user for each in c["volumeMounts"]}
    for number, asked in enumerate(task.volume_mounts):
        source, _, target = asked.partition(":")
        if (target or source) not in there:
            volumes.append({"name": f"host-mount-{number}", "hostPath": {"path": source}})
            mounts.append(mount(f"host-mount-{number}", target or source))
    made = [
        {**each, "volumeMounts": [*each["volumeMounts"], *mounts]} if each["name"] == user else each
        for each in pod["containers"]
    ]
    return {**pod, "containers": made, "volumes": [*pod["volumes"], *volumes]}


def _tolerations(there: Sequence[Object], platform: Sequence[Toleration]) -> list[Object]:
    """Those of the template, and of the platform those that are not among them."""
    wanted = [
        {key: getattr(each, key) for key in ("key", "operator", "value", "effect") if getattr(each, key)}
        for each in platform
    ]
    return [*there, *(each for each in wanted if each not in there)]
