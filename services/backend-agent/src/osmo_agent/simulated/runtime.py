"""The agent's adapter to a simulated cluster: one waiting watch instead of a timer per pod."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from osmo_agent.ports import RuntimeIdentity
from osmo_agent.simulated.cluster import SimulatedCluster
from osmo_agent.simulated.journal import Journal
from osmo_domain.cluster import NodeFact, PodEvent, PodFact
from osmo_domain.command import CreateGroup, DeleteGroup, RestartTasks
from osmo_runtime.pod_secrets import PodSecrets
from osmo_service.clock import Clock

BATCH = 2_000


class SimulatedRuntime:
    """A PodRuntime over a cluster that may outlive it: given in, or kept by a journal."""

    def __init__(self, cluster: SimulatedCluster, clock: Clock, journal: Journal | None = None) -> None:
        self._cluster = cluster
        self._clock = clock
        self._journal = journal
        self._news = asyncio.Event()
        self._nodes_changed = asyncio.Event()
        cluster.changed = self._news.set
        cluster.nodes_changed = self._nodes_changed.set
        if journal is not None:
            cluster.adopt(journal.pods, journal.deleted)

    async def identity(self) -> RuntimeIdentity:
        return RuntimeIdentity("simulated", self._cluster.uid)

    async def apply_group(self, command: CreateGroup, secrets: Mapping[str, PodSecrets] | None = None) -> None:
        """Simulated tasks read no secrets."""
        del secrets
        now = self._clock.now()
        made = self._cluster.apply(command, now)
        if self._journal is not None:
            self._journal.made(made)

    async def delete_group(self, command: DeleteGroup) -> None:
        keys = [(command.workflow_uuid, task, retry_id) for task, retry_id in command.retry_ids.items()]
        if self._journal is not None:
            self._journal.removed(keys)
        self._cluster.delete(keys, self._clock.now())

    async def restart_tasks(self, command: RestartTasks) -> None:
        wanted = {
            (command.workflow_uuid, task, retry_id): command.restarts.get(task, 0)
            for task, retry_id in command.retry_ids.items()
        }
        restarted = self._cluster.restart(wanted, self._clock.now())
        if self._journal is not None:
            self._journal.made(restarted)

    async def watch_pods(self) -> AsyncIterator[Sequence[PodFact | PodEvent]]:
        cluster = self._cluster
        watch = cluster.watch()
        try:
            while True:
                self._news.clear()
                cluster.move_on(self._clock.now())
                seen = watch.take()
                for start in range(0, len(seen), BATCH):
                    yield seen[start : start + BATCH]
                if not seen:
                    await self._until_due()
        finally:
            cluster.unwatch(watch)

    async def list_pods(self) -> Sequence[PodFact]:
        self._cluster.move_on(self._clock.now())
        self._news.set()
        return self._cluster.pod_facts()

    async def list_nodes(self) -> Sequence[NodeFact]:
        return self._cluster.node_facts(self._clock.now())

    async def nodes_changed(self) -> None:
        await self._nodes_changed.wait()
        self._nodes_changed.clear()

    async def _until_due(self) -> None:
        """Return when something is due, or the cluster was changed from outside."""
        due = self._cluster.next_due()
        wait_s = None if due is None else max(0.0, (due - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return
