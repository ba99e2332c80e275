"""Takes attempts and groups out of the cluster."""

import asyncio
from typing import Final

from osmo_agent.kubernetes.cluster_settings import ClusterSettings
from osmo_agent.kubernetes.ended import EndedAttempts
from osmo_agent.kubernetes.names import FINALIZER, GROUP_UUID, attempt_name
from osmo_agent.kubernetes.nodes import Nodes
from osmo_agent.kubernetes.pods import OurPod, OurPods
from osmo_domain.command import DeleteGroup
from osmo_domain.errors import Rejected
from osmo_domain.ids import group_uuid, pod_name
from osmo_kube import PODS, SECRETS, SERVICES, Kinds, KubeApi, NotAllowed
from osmo_kube.writes import carries, delete, find, remove_finalizer

_CORE: Final = {("v1", "Secret"): SECRETS, ("v1", "Service"): SERVICES}


class Removal:
    def __init__(
        self, api: KubeApi, settings: ClusterSettings, pods: OurPods, nodes: Nodes, ended: EndedAttempts
    ) -> None:
        self._api = api
        self._namespace = settings.namespace
        self._pods = pods
        self._nodes = nodes
        self._ended = ended
        self._kinds = Kinds(api)

    async def attempts(self, command: DeleteGroup) -> None:
        """Remembered as over first: whatever is cut off after that is finished by the sweep."""
        named = {pod_name(command.workflow_uuid, task): retry_id for task, retry_id in command.retry_ids.items()}
        await self._ended.remember(attempt_name(name, retry_id) for name, retry_id in named.items())
        await self._pods.synced.wait()
        group = group_uuid(command.workflow_uuid, command.group_name)
        shared = {each for pod in self._pods.of_group(group) for each in pod.group_objects.split(",") if each}
        await asyncio.gather(*(self._attempt(name, retry_id, command.force) for name, retry_id in named.items()))
        if self._is_over(group):
            await asyncio.gather(*(self._shared(each, group) for each in shared))

    async def pod(self, pod: OurPod, *, force: bool = False) -> None:
        """Our finalizer goes first, so that the pod can go when it has ended. One that has ended needs no time for it, and nobody
        would use the time of one whose node is gone."""
        if pod.finalizer:
            await self.finalizer(pod)
        at_once = force or pod.ended or self._nodes.is_gone(pod.fact.node)
        if at_once or not pod.deleting:
            await delete(self._api, PODS, self._namespace, pod.name, uid=pod.uid, grace_s=0 if at_once else None)

    async def finalizer(self, pod: OurPod) -> None:
        await remove_finalizer(self._api, PODS, self._namespace, pod.name, pod.uid, FINALIZER)

    async def _attempt(self, name: str, retry_id: int, force: bool) -> None:
        pod = self._pods.find(name)
        its_secret = delete(self._api, SECRETS, self._namespace, attempt_name(name, retry_id))
        if pod is not None and pod.fact.retry_id == retry_id:
            await asyncio.gather(self.pod(pod, force=force), its_secret)
        else:
            await its_secret

    def _is_over(self, group: str) -> bool:
        there = self._pods.of_group(group)
        return all(attempt_name(pod.name, pod.fact.retry_id) in self._ended for pod in there)

    async def _shared(self, named: str, group: str) -> None:
        """`apiVersion kind name`. Another group may have made it under that name: then it is that group's. What cannot be removed now is the sweep's."""
        api_version, kind, name = named.split(" ", 2)
        try:
            resource = _CORE.get((api_version, kind)) or await self._kinds.resource(api_version, kind)
            there = await find(self._api, resource, self._namespace, name)
            if there is not None and carries(there, {GROUP_UUID: group}):
                await delete(self._api, resource, self._namespace, name, uid=there["metadata"]["uid"])
        except NotAllowed:
            raise
        except Rejected:
            return
