"""The PodRuntime over processes of this machine.

Nothing that matters is kept in memory: a pod is its directory, and its life is held by its shim. An agent that starts again lists the
directories, starts the shims that its predecessor had not come to start, finishes the removals that it had begun, and watches the rest.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from pathlib import Path

import msgspec

from osmo_agent.gone import gone
from osmo_agent.ports import RuntimeIdentity
from osmo_agent.process.hints import Hints
from osmo_agent.process.host_node import cluster_uid, host_node, node_name
from osmo_agent.process.options import ProcessOptions
from osmo_agent.process.pod_facts import ENDED, LOST_REASON, pod_fact
from osmo_agent.process.pod_specs import pod_specs
from osmo_agent.process.pod_store import PodStore, pod_key
from osmo_agent.process.shims import end_shim, kill_marked, signal_shim, start_shim
from osmo_domain.cluster import NodeFact, PodEvent, PodFact
from osmo_domain.command import CreateGroup, DeleteGroup, RestartTasks
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import PodSecrets
from osmo_runtime.shim.pod_dir import Deletion, PodDir
from osmo_service.clock import Clock

log = logging.getLogger("osmo.agent.process")


class ProcessRuntime:
    """One per state directory. `router_url` is where the pods find log-router, `service_url` where the `osmo` inside them finds the service."""

    def __init__(
        self,
        state_dir: Path,
        router_url: str,
        clock: Clock,
        options: ProcessOptions | None = None,
        *,
        service_url: str = "",
    ) -> None:
        self._state_dir = state_dir
        self._router_url = router_url
        self._service_url = service_url
        self._clock = clock
        self._options = options or ProcessOptions()
        self._node = node_name()
        self._store = PodStore(state_dir)
        self._specs: dict[str, PodSpec] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._removing: dict[str, asyncio.Task[None]] = {}
        self._lost: set[str] = set()
        """Pods whose remains were killed."""
        self._start_slots = asyncio.Semaphore(self._options.starts_at_once)
        self._watches: set[Hints] = set()
        self._store.tidy(clock.now().timestamp())

    async def identity(self) -> RuntimeIdentity:
        return RuntimeIdentity("process", cluster_uid(self._state_dir))

    async def apply_group(self, command: CreateGroup, secrets: Mapping[str, PodSecrets] | None = None) -> None:
        for spec in pod_specs(command, self._router_url, self._service_url, secrets or {}):
            pod = self._store.create(spec)
            if pod is not None:
                self._hint(pod.key)
                self._start(pod)

    async def delete_group(self, command: DeleteGroup) -> None:
        for task, retry_id in command.retry_ids.items():
            key = pod_key(command.workflow_uuid, task, retry_id)
            self._store.remember_end(key)
            pod = self._store.find(key)
            if pod is not None:
                pod.write_deletion(Deletion(command.force))
                self._remove(pod, force=command.force)

    async def restart_tasks(self, command: RestartTasks) -> None:
        for task, retry_id in command.retry_ids.items():
            pod = self._store.find(pod_key(command.workflow_uuid, task, retry_id))
            if pod is not None:
                pod.ask_for_restarts(command.restarts.get(task, 0))
                signal_shim(pod, signal.SIGHUP)

    async def watch_pods(self) -> AsyncIterator[Sequence[PodFact | PodEvent]]:
        """Shims hint at changes; everything is looked at every `look_every_s` all the same."""
        hints = Hints(self._store.hints)
        hints.open()
        self._watches.add(hints)
        known: dict[str, PodFact] = {}
        try:
            while True:
                seen = await self._look(known, hints.take())
                if seen:
                    yield seen
                try:
                    async with asyncio.timeout(self._options.look_every_s):
                        await hints.news.wait()
                except TimeoutError:
                    hints.give("")
        finally:
            self._watches.discard(hints)
            hints.close()

    async def list_pods(self) -> Sequence[PodFact]:
        return await asyncio.to_thread(lambda: [fact for key in self._store.names() if (fact := self._read(key))])

    async def list_nodes(self) -> Sequence[NodeFact]:
        return [host_node(self._state_dir, self._options, self._clock.now())]

    async def nodes_changed(self) -> None:
        """What others use of this machine changes all the time, and nobody says so."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Stop what this process does; pods go on."""
        tasks = [*self._starting.values(), *self._removing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- looking ----------------------------------------------------------------------------------------------------

    async def _look(self, known: dict[str, PodFact], hinted: set[str]) -> list[PodFact]:
        """What changed since `known`, which is brought up to date. Without names, and for the empty name, everything is looked at."""
        everything = not hinted or "" in hinted
        keys = await asyncio.to_thread(self._store.names) if everything else list(hinted)
        facts = await asyncio.to_thread(lambda: {key: self._read(key) for key in keys})
        for key, fact in facts.items():
            if fact is not None and fact.reason == LOST_REASON and key not in self._lost:
                self._lost.add(key)
                await asyncio.to_thread(kill_marked, PodDir(self._store.path(key)))
        vanished = known.keys() - set(keys) if everything else set()
        changed = [change for key in [*keys, *vanished] if (change := self._note(known, key, facts.get(key)))]
        if everything:
            self._take_care_of(keys)
        return changed

    def _note(self, known: dict[str, PodFact], key: str, fact: PodFact | None) -> PodFact | None:
        """Remember the fact under the key; returns what is news about it."""
        before = known.get(key)
        if fact is None:
            if before is None:
                return None
            del known[key]
            self._specs.pop(key, None)
            self._lost.discard(key)
            return None if before.phase in ENDED else gone(before, self._clock.now())
        if before is not None and msgspec.structs.replace(before, at=fact.at) == fact:
            return None
        known[key] = fact
        return fact

    def _read(self, key: str) -> PodFact | None:
        """The fact about this pod now; None where there is no such pod."""
        pod = self._store.find(key)
        if pod is None:
            return None
        try:
            spec = self._specs[key] if key in self._specs else self._specs.setdefault(key, pod.spec())
        except FileNotFoundError:
            return None
        status = pod.status()
        if status is None or status.phase not in ENDED:
            alive = pod.alive()
            status = pod.status()
        else:
            alive = False
        started = pod.started()
        if status is None and self._store.find(key) is None:
            return None  # removed while it was looked at: nothing of it says anything any more
        return pod_fact(spec, status, alive=alive, started=started, node=self._node, now=self._clock.now())

    def _take_care_of(self, keys: Sequence[str]) -> None:
        """Begin what an earlier life of this agent did not come to: starts and removals."""
        for key in keys:
            if key in self._starting or key in self._removing:
                continue
            pod = self._store.find(key)
            if pod is None:
                continue
            deletion = pod.deletion()
            if deletion is not None:
                self._remove(pod, force=deletion.force)
            elif not pod.started() and not pod.alive():
                self._start(pod)

    def _hint(self, key: str) -> None:
        for hints in self._watches:
            hints.give(key)

    # -- starting and removing --------------------------------------------------------------------------------------

    def _start(self, pod: PodDir) -> None:
        async def start() -> None:
            async with self._start_slots:
                await start_shim(pod, self._options, self._store.hints, int(self._clock.now().timestamp() * 1000))
            self._hint(pod.key)

        self._run(self._starting, pod.key, start())

    def _remove(self, pod: PodDir, *, force: bool) -> None:
        if (under_way := self._removing.get(pod.key)) is not None:
            if not force:
                return
            under_way.cancel()
        starting = self._starting.get(pod.key)

        async def remove() -> None:
            if starting is not None:
                await asyncio.wait([starting])
            await end_shim(pod, force=force, grace_s=self._options.grace_s)
            self._hint(pod.key)
            await asyncio.to_thread(self._store.discard, pod)
            self._hint(pod.key)

        self._run(self._removing, pod.key, remove())

    def _run(self, table: dict[str, asyncio.Task[None]], key: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        table[key] = task

        def done(ended: asyncio.Task[None]) -> None:
            if table.get(key) is ended:
                del table[key]
            if not ended.cancelled() and (error := ended.exception()) is not None:
                log.error("pod %s: %s", key, error, exc_info=error)

        task.add_done_callback(done)
