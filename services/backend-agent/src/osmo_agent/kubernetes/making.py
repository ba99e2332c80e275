"""Makes the objects of a group, those that are not there yet, in the order in which one needs the other."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Final

import msgspec

from osmo_agent.kubernetes.cluster_settings import ClusterSettings
from osmo_agent.kubernetes.ended import EndedAttempts
from osmo_agent.kubernetes.group_kinds import GroupKinds
from osmo_agent.kubernetes.manifests import GroupObjects, Object, PodObjects, group_objects
from osmo_agent.kubernetes.names import BACKEND, GROUP_UUID, RETRY_ID, TASK_UUID, attempt_name
from osmo_agent.kubernetes.pods import OurPod, OurPods
from osmo_agent.kubernetes.removal import Removal
from osmo_agent.ports import GroupRefusedError
from osmo_domain.command import CreateGroup
from osmo_domain.errors import Rejected, Transient
from osmo_domain.ids import pod_name
from osmo_kube import PODS, SECRETS, SERVICES, Kinds, KubeApi, NotAllowed, NotFound, Resource
from osmo_kube.writes import create, delete
from osmo_runtime.pod_secrets import PodSecrets

OLD_POD_WITHIN_S: Final = 20.0
"""How long the pod of an earlier attempt is waited for. After that the command is given back and comes again."""

_CORE: Final = {("v1", "Secret"): SECRETS, ("v1", "Service"): SERVICES}
_DOCKER: Final = "kubernetes.io/dockerconfigjson"


class Making:
    def __init__(
        self,
        api: KubeApi,
        settings: ClusterSettings,
        pods: OurPods,
        ended: EndedAttempts,
        kinds: GroupKinds,
        removal: Removal,
    ) -> None:
        self._api = api
        self._settings = settings
        self._pods = pods
        self._ended = ended
        self._kinds = kinds
        self._resources = Kinds(api)
        self._removal = removal

    async def group(self, command: CreateGroup, secrets: Mapping[str, PodSecrets]) -> None:
        """GroupRefusedError in the cluster's words where it will not have one of the objects: the others are made all the same."""
        wanted = {
            task: retry_id
            for task, retry_id in command.retry_ids.items()
            if attempt_name(pod_name(command.workflow_uuid, task), retry_id) not in self._ended
        }
        if not wanted:
            return
        try:
            made = await asyncio.to_thread(group_objects, _only(command, wanted), secrets, self._settings)
        except Rejected as refused:
            raise GroupRefusedError(refused.message) from refused
        for each in made.shared:
            await self._shared(each, made.labels)
        await _all(self._pod(each, made) for each in made.pods)

    async def _shared(self, made: Object, labels: Mapping[str, str]) -> None:
        kind = (str(made.get("apiVersion")), str(made.get("kind")))
        whose = (BACKEND, GROUP_UUID) if kind in _CORE else (BACKEND,)  # groups may share what a template names alike
        ours = {key: labels[key] for key in whose}
        try:
            resource = _CORE.get(kind) or await self._template_kind(kind)
            there, new = await create(self._api, resource, self._settings.namespace, made, ours)
        except NotAllowed as missing:
            if kind in _CORE:
                raise
            raise GroupRefusedError(f"{kind[1]} of a group template: {missing.message}") from missing
        except NotFound:
            raise
        except Rejected as refused:
            raise GroupRefusedError(refused.message) from refused
        if "deletionTimestamp" in there["metadata"]:
            raise Transient(f"{kind[1]} {there['metadata']['name']} of an earlier attempt is still being removed")
        if not new and made.get("type") == _DOCKER and made["data"] != there.get("data"):
            await self._replace(made, there, ours)

    async def _template_kind(self, kind: tuple[str, str]) -> Resource:
        resource = await self._resources.resource(*kind)
        await self._kinds.remember(kind)
        return resource

    async def _replace(self, made: Object, there: Object, ours: Mapping[str, str]) -> None:
        """The logins changed since an earlier attempt."""
        name, namespace = there["metadata"]["name"], self._settings.namespace
        await delete(self._api, SECRETS, namespace, name, uid=there["metadata"]["uid"])
        await create(self._api, SECRETS, namespace, made, ours)

    async def _pod(self, made: PodObjects, group: GroupObjects) -> None:
        spec, namespace = made.spec, self._settings.namespace
        there = self._pods.find(spec.pod_name)
        if there is not None and there.fact.retry_id >= spec.retry_id:
            return
        if there is not None:
            await self._make_way(there)
        ours = {**_ours(group), TASK_UUID: spec.task_uuid}
        try:
            for secret in made.secrets:
                await create(self._api, SECRETS, namespace, secret, {**ours, RETRY_ID: str(spec.retry_id)})
            pod, new = await create(self._api, PODS, namespace, made.pod, ours)
        except (NotAllowed, NotFound):
            raise
        except Rejected as refused:
            raise GroupRefusedError(refused.message) from refused
        self._pods.note_made(pod)
        if not new and int(pod["metadata"]["labels"][RETRY_ID]) < spec.retry_id:
            raise Transient(f"the pod {spec.pod_name} of an earlier attempt is still there")

    async def _make_way(self, old: OurPod) -> None:
        """All attempts of a task have one name. That this one is to be made says that the earlier one is over."""
        await self._ended.remember([attempt_name(old.name, old.fact.retry_id)])
        await self._removal.pod(old)
        if not await self._pods.until_gone(old, OLD_POD_WITHIN_S):
            raise Transient(f"the pod {old.name} of attempt {old.fact.retry_id} has not ended yet")


def _only(command: CreateGroup, wanted: Mapping[str, int]) -> CreateGroup:
    return msgspec.structs.replace(command, retry_ids=dict(wanted))


def _ours(group: GroupObjects) -> dict[str, str]:
    return {key: group.labels[key] for key in (BACKEND, GROUP_UUID)}


async def _all(work: Iterable[Awaitable[Any]]) -> None:
    """Carry all of it out, whatever becomes of the rest. What the cluster refuses goes before what may yet work."""
    results = await asyncio.gather(*work, return_exceptions=True)
    failed = [each for each in results if isinstance(each, BaseException)]
    failed.sort(key=lambda error: not isinstance(error, GroupRefusedError))
    if failed:
        raise failed[0]
