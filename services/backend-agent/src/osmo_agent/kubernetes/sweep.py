"""What nobody else finishes: removals that were cut off, pods that somebody deleted and that do not end, objects whose pods are gone."""

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import Final

import msgspec

from osmo_agent.kubernetes.cluster_settings import ClusterSettings
from osmo_agent.kubernetes.ended import EndedAttempts
from osmo_agent.kubernetes.group_kinds import GroupKinds
from osmo_agent.kubernetes.names import BACKEND, GROUP_UUID, RETRY_ID, TASK_UUID, WORKFLOW_UUID, attempt_name, short
from osmo_agent.kubernetes.nodes import Nodes
from osmo_agent.kubernetes.pod_facts import lost
from osmo_agent.kubernetes.pods import OurPod, OurPods
from osmo_agent.kubernetes.removal import Removal
from osmo_domain.cluster import PodPhase
from osmo_domain.errors import Rejected, Stale, Transient
from osmo_kube import SECRETS, SERVICES, Json, Kinds, KubeApi, Resource
from osmo_kube.api import NAMES_ONLY
from osmo_kube.writes import delete
from osmo_service.clock import Clock

log = logging.getLogger("osmo.agent.sweep")

_PAGE: Final = 500


class SweepTiming(msgspec.Struct, frozen=True):
    """`silent_s`: how long past its grace a pod that somebody deleted may take to end. `stuck_s`: how long our finalizer stays after that."""

    look_s: float = 10
    again_s: float = 60
    sweep_s: float = 600
    silent_s: float = 30
    stuck_s: float = 300


class Sweep:
    def __init__(
        self,
        api: KubeApi,
        settings: ClusterSettings,
        pods: OurPods,
        nodes: Nodes,
        ended: EndedAttempts,
        kinds: GroupKinds,
        removal: Removal,
        clock: Clock,
        rng: random.Random,
        timing: SweepTiming | None = None,
    ) -> None:
        self._api = api
        self._namespace = settings.namespace
        self._selector = f"{BACKEND}={short(settings.backend)},{GROUP_UUID}"
        self._pods = pods
        self._nodes = nodes
        self._ended = ended
        self._kinds = kinds
        self._resources = Kinds(api)
        self._removal = removal
        self._clock = clock
        self._rng = rng
        self._timing = timing or SweepTiming()
        self._asked: dict[str, float] = {}
        """uid of a pod whose attempt is over to when we last saw to its removal."""
        self._deleted: dict[str, float] = {}
        """uid of a pod that somebody deletes to when we first saw that: by our own clock, whatever the cluster's says."""
        self._orphans: set[str] = set()
        """uids of what had no pod when it was last looked at."""

    async def run(self) -> None:
        await self._pods.synced.wait()
        await self._nodes.synced()
        now = asyncio.get_running_loop().time
        due = now()
        pause_s = self._timing.again_s
        while True:
            try:
                await self.look()
                if now() >= due:
                    await self.sweep()
                    due, pause_s = now() + pause_s * (0.9 + 0.2 * self._rng.random()), self._timing.sweep_s
            except (Transient, Stale, Rejected) as error:
                log.warning("cannot sweep now", extra={"why": str(error)})
            await asyncio.sleep(self._timing.look_s)

    async def look(self) -> None:
        """One look at every pod of ours. Costs the API server nothing unless there is something to do."""
        pods = self._pods.all()
        there = {pod.uid for pod in pods}
        for times in (self._asked, self._deleted):
            for uid in times.keys() - there:
                del times[uid]
        work = []
        for pod in pods:
            if pod.deleting:
                self._deleted.setdefault(pod.uid, asyncio.get_running_loop().time())
            if attempt_name(pod.name, pod.fact.retry_id) in self._ended:
                work.append(self._finish(pod))
            elif pod.by_others:
                work.append(self._see_to_deleted(pod))
        await asyncio.gather(*work)

    async def _finish(self, pod: OurPod) -> None:
        """A removal that was cut off, or one that its node does not carry out because it is away: seen to when it has had its time.
        A node that is gone is given none."""
        if pod.deleting and self._nodes.is_gone(pod.fact.node):
            await self._removal.pod(pod, force=True)
            return
        now = asyncio.get_running_loop().time()
        if now - self._asked.setdefault(pod.uid, now) < self._timing.again_s:
            return
        self._asked[pod.uid] = now
        stuck = self._past_grace_s(pod) > self._timing.again_s and not self._nodes.is_up(pod.fact.node)
        if pod.finalizer or not pod.deleting or stuck:
            await self._removal.pod(pod, force=stuck)

    async def _see_to_deleted(self, pod: OurPod) -> None:
        over = self._past_grace_s(pod)
        told = self._pods.told(pod)
        if not pod.ended and told.phase is not PodPhase.GONE and over > self._timing.silent_s:
            self._pods.tell(pod, lost(pod.fact, self._clock.now()))
        elif over > self._timing.silent_s + self._timing.stuck_s:
            log.warning("nobody told us to remove a pod that somebody else deleted", extra={"pod": pod.name})
            await self._removal.finalizer(pod)

    def _past_grace_s(self, pod: OurPod) -> float:
        """Seconds since a pod that is being deleted should have been gone; negative before."""
        seen = self._deleted.get(pod.uid)
        return asyncio.get_running_loop().time() - seen - pod.grace_s if seen is not None else -1.0

    async def sweep(self) -> None:
        """Objects that had no pod now and the last time are removed: between two sweeps a group has long been made."""
        found: dict[str, tuple[Resource, str]] = {}
        for resource in await self._swept_kinds():
            for each in await self._list(resource):
                if self._is_orphan(each["metadata"].get("labels") or {}):
                    found[each["metadata"]["uid"]] = (resource, each["metadata"]["name"])
        twice = self._orphans & found.keys()
        self._orphans = found.keys() - twice
        for uid in twice:
            resource, name = found[uid]
            log.info("removing what has no pod any more", extra={"resource": resource.plural, "object": name})
            await delete(self._api, resource, self._namespace, name, uid=uid)
        await self._ended.forget()

    async def _swept_kinds(self) -> Iterable[Resource]:
        found = [SECRETS, SERVICES]
        for kind in self._kinds.all():
            try:
                found.append(await self._resources.resource(*kind))
            except Rejected:
                log.info("the cluster has this kind no more", extra={"kind": " ".join(kind)})
        return dict.fromkeys(found)

    async def _list(self, resource: Resource) -> list[Json]:
        query: dict[str, str | int] = {"labelSelector": self._selector, "limit": _PAGE}
        listed: list[Json] = []
        while True:
            path = resource.all(self._namespace)
            page = msgspec.json.decode(await self._api.call("GET", path, query=query, accept=NAMES_ONLY))
            listed += page["items"] or []
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return listed

    def _is_orphan(self, labels: dict[str, str]) -> bool:
        if TASK_UUID not in labels:
            return not self._pods.of_group(labels.get(GROUP_UUID, ""))
        name = f"{labels.get(WORKFLOW_UUID, '')[:16]}-{labels[TASK_UUID][:16]}"
        pod = self._pods.find(name)
        return pod is None or str(pod.fact.retry_id) != labels.get(RETRY_ID)
