"""The PodRuntime over a Kubernetes cluster.

Nothing that matters is kept in memory: what runs is what the API server says runs, found by our labels; what is over for good is in ConfigMaps
beside it. An agent that starts again lists, finishes what its predecessor had begun, and watches on.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final, TypeVar

from osmo_agent.kubernetes.cluster_settings import ClusterSettings
from osmo_agent.kubernetes.ctrl_line import CtrlLine
from osmo_agent.kubernetes.ended import EndedAttempts
from osmo_agent.kubernetes.events import OF_PODS, EventLines, read_event
from osmo_agent.kubernetes.group_kinds import GroupKinds
from osmo_agent.kubernetes.making import Making
from osmo_agent.kubernetes.names import BACKEND, short
from osmo_agent.kubernetes.node_rules import NodeRuleBook
from osmo_agent.kubernetes.nodes import Nodes
from osmo_agent.kubernetes.pods import OurPods
from osmo_agent.kubernetes.removal import Removal
from osmo_agent.kubernetes.rights import what_is_missing
from osmo_agent.kubernetes.sweep import Sweep, SweepTiming
from osmo_agent.ports import RuntimeIdentity
from osmo_domain.cluster import KUBERNETES, NodeFact, PodEvent, PodFact
from osmo_domain.command import CreateGroup, DeleteGroup, RestartTasks
from osmo_domain.errors import Rejected, Transient
from osmo_domain.ids import pod_name
from osmo_domain.requests import RestartCommand
from osmo_kube import EVENTS, NAMESPACES, KubeApi, ListWatch, Timing
from osmo_runtime.pod_secrets import PodSecrets
from osmo_service.backoff import Backoff, until_done
from osmo_service.clock import Clock

log = logging.getLogger("osmo.agent.kubernetes")

T = TypeVar("T")

SYNCED_WITHIN_S: Final = 60.0


class KubernetesRuntime:
    """One per namespace and backend. It works while `running` is entered."""

    def __init__(
        self,
        api: KubeApi,
        settings: ClusterSettings,
        line: CtrlLine,
        rules: NodeRuleBook,
        clock: Clock,
        rng: random.Random,
        *,
        timing: Timing | None = None,
        sweep_timing: SweepTiming | None = None,
    ) -> None:
        ours = f"{BACKEND}={short(settings.backend)}"
        self._api = api
        self._settings = settings
        self._line = line
        self._rules = rules
        self._clock = clock
        self._rng = rng
        self._timing = timing
        self._pods = OurPods(api, settings.namespace, ours, clock, rng, timing)
        self._nodes = Nodes(api, ours, clock, rng, timing)
        self._ended = EndedAttempts(api, settings.backend, settings.namespace, clock)
        self._kinds = GroupKinds(api, settings.backend, settings.namespace)
        self._removal = Removal(api, settings, self._pods, self._nodes, self._ended)
        self._making = Making(api, settings, self._pods, self._ended, self._kinds, self._removal)
        self._sweep = Sweep(
            api,
            settings,
            self._pods,
            self._nodes,
            self._ended,
            self._kinds,
            self._removal,
            clock,
            rng,
            sweep_timing,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Waits for an API server that is away. Refused with a sentence that names each right that the agent lacks."""
        missing = await self._until_answered(lambda: what_is_missing(self._api, self._settings.namespace))
        if missing:
            raise Rejected("kube.not_allowed", missing, http_status=403)
        await self._until_answered(self._ended.load)
        await self._until_answered(self._kinds.load)
        loops = {
            "pods": self._pods.follow,
            "nodes": self._nodes.follow_nodes,
            "other pods": self._nodes.follow_others,
            "events": self._follow_events,
            "sweep": self._sweep.run,
        }
        tasks = [asyncio.create_task(self._keep(name, loop)) for name, loop in loops.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def identity(self) -> RuntimeIdentity:
        """A cluster is known by the uid of its namespace kube-system, as everywhere."""
        kube_system = await self._until_answered(lambda: self._api.get(NAMESPACES.one("", "kube-system")))
        return RuntimeIdentity(KUBERNETES, kube_system["metadata"]["uid"])

    async def apply_group(self, command: CreateGroup, secrets: Mapping[str, PodSecrets] | None = None) -> None:
        await self._synced()
        await self._making.group(command, secrets or {})

    async def delete_group(self, command: DeleteGroup) -> None:
        await self._synced()
        await self._removal.attempts(command)

    async def restart_tasks(self, command: RestartTasks) -> None:
        """What has ended meanwhile, or what the control container's router refuses, is not restarted any more."""
        await self._synced()
        for task, retry_id in command.retry_ids.items():
            pod = self._pods.find(pod_name(command.workflow_uuid, task))
            if pod is None or pod.ended or pod.fact.retry_id != retry_id:
                continue
            told = RestartCommand(retry_id, command.restarts.get(task, 0), command.tokens.get(task, ""))
            try:
                await self._line.restart(command.workflow_id, task, told)
            except Rejected as refused:
                log.warning("a restart was refused", extra={"task": task, "why": refused.message})

    async def watch_pods(self) -> AsyncIterator[Sequence[PodFact | PodEvent]]:
        async with aclosing(self._pods.watch()) as batches:
            async for batch in batches:
                yield batch

    async def list_pods(self) -> Sequence[PodFact]:
        await self._synced()
        return self._pods.facts()

    async def list_nodes(self) -> Sequence[NodeFact]:
        await _in_time(self._nodes.synced(), "nodes")
        return self._nodes.facts(await self._rules.current())

    async def nodes_changed(self) -> None:
        await self._nodes.changed.wait()
        self._nodes.changed.clear()

    async def _synced(self) -> None:
        await _in_time(self._pods.synced.wait(), "pods")

    async def _follow_events(self) -> None:
        path = EVENTS.all(self._settings.namespace)
        watch = ListWatch(self._api, path, read_event, rng=self._rng, query=OF_PODS, timing=self._timing)
        lines = EventLines(self._pods.fact_of)
        await self._pods.synced.wait()
        async with aclosing(watch.follow()) as batches:
            async for batch in batches:
                for seen in batch.seen:
                    line = None if seen.gone else lines.line(seen.item, self._clock.now())
                    if line is not None:
                        self._pods.say(line)

    async def _until_answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await until_done(ask, what="the API server", rng=self._rng)

    async def _keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff(self._rng, most_s=30)
        while True:
            try:
                await loop()
            except Exception:  # the skeleton of these loops: what one object does must not end the sight of the others
                log.exception("a loop broke; beginning it again", extra={"loop": name})
            await backoff.pause()


async def _in_time(synced: Awaitable[object], what: str) -> None:
    try:
        async with asyncio.timeout(SYNCED_WITHIN_S):
            await synced
    except TimeoutError:
        raise Transient(f"the cluster's {what} are not known yet") from None
