"""Our pods as they are now: a watch, and what we made ourselves before the watch tells of it."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec import Raw, Struct

from osmo_agent.gone import gone
from osmo_agent.kubernetes.names import FINALIZER, GROUP_OBJECTS, GROUP_UUID
from osmo_agent.kubernetes.pod_facts import ENDED, deleted_by_others, ended_at, lost, pod_fact, unschedulable
from osmo_agent.kubernetes.pod_json import POD, Pod
from osmo_domain.cluster import PodEvent, PodFact, PodPhase
from osmo_kube import PODS, Json, KubeApi, ListWatch, Seen, Sighting, Timing
from osmo_service.clock import Clock

_REMEMBERED: Final = 20_000


class OurPod(Struct, frozen=True):
    """What is kept of a pod. `deleting`: somebody asked the API server to delete it; `by_others`: and that was not us."""

    uid: str
    fact: PodFact
    group_uuid: str
    group_objects: str
    finalizer: bool
    deleting: bool
    by_others: bool
    grace_s: int
    note: PodEvent | None = None

    @property
    def name(self) -> str:
        return self.fact.pod_name

    @property
    def ended(self) -> bool:
        return self.fact.phase in ENDED


class Watch:
    """What one watcher has not taken yet."""

    def __init__(self, seen: Sequence[PodFact | PodEvent]) -> None:
        self.waiting: list[PodFact | PodEvent] = list(seen)
        self.news = asyncio.Event()


class OurPods:
    """By name, since a name has one pod at a time. `follow` runs for ever; `synced` is set with the first list."""

    def __init__(
        self, api: KubeApi, namespace: str, ours: str, clock: Clock, rng: random.Random, timing: Timing | None = None
    ) -> None:
        query = {"labelSelector": ours}
        self._watch = ListWatch(api, PODS.all(namespace), self._read, rng=rng, query=query, timing=timing)
        self._clock = clock
        self._pods: dict[str, OurPod] = {}
        self._groups: dict[str, set[str]] = {}
        """uuid of a group to the names of its pods."""
        self._made: dict[str, tuple[str, float]] = {}
        """uid to name and time of pods that we made and that the watch has not told of."""
        self._told: dict[str, PodFact] = {}
        """uid to the last fact."""
        self._notes: dict[str, str] = {}
        self._past: OrderedDict[str, PodFact] = OrderedDict()
        """Pods that went, for events that come late, and so that no late answer brings one back."""
        self._watches: set[Watch] = set()
        self._changed = asyncio.Condition()
        self.synced = asyncio.Event()

    def find(self, name: str) -> OurPod | None:
        return self._pods.get(name)

    def all(self) -> list[OurPod]:
        return list(self._pods.values())

    def facts(self) -> list[PodFact]:
        return [self._told.get(pod.uid, pod.fact) for pod in self._pods.values()]

    def told(self, pod: OurPod) -> PodFact:
        """The last that was said of it."""
        return self._told.get(pod.uid, pod.fact)

    def fact_of(self, uid: str) -> PodFact | None:
        return self._told.get(uid) or self._past.get(uid)

    def of_group(self, group_uuid: str) -> list[OurPod]:
        return [self._pods[name] for name in self._groups.get(group_uuid, ())]

    def note_made(self, made: Json) -> None:
        """The API server's answer to our own write: the watch may tell it later."""
        pod = self._our_pod(msgspec.convert(made, Pod))
        if pod is None or pod.uid in self._past or self._is_known(pod):
            return
        self._made[pod.uid] = (pod.name, asyncio.get_running_loop().time())
        self._put(pod)

    def tell(self, pod: OurPod, fact: PodFact) -> None:
        """Say this of the pod, unless it is what was said last."""
        before = self._told.get(pod.uid)
        if before is not None and (before.phase in ENDED or msgspec.structs.replace(before, at=fact.at) == fact):
            return
        self._told[pod.uid] = fact
        self.say(fact)

    def say(self, line: PodFact | PodEvent) -> None:
        for watch in self._watches:
            watch.waiting.append(line)
            watch.news.set()

    async def watch(self) -> AsyncGenerator[Sequence[PodFact | PodEvent], None]:
        """First every pod, then what changes."""
        await self.synced.wait()
        watch = Watch(self.facts())
        self._watches.add(watch)
        try:
            while True:
                if watch.waiting:
                    seen, watch.waiting = watch.waiting, []
                    yield seen
                watch.news.clear()
                if not watch.waiting:
                    await watch.news.wait()
        finally:
            self._watches.discard(watch)

    async def until_gone(self, pod: OurPod, within_s: float) -> bool:
        """Whether this very pod left its name in time."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: not self._is_known(pod))
        except TimeoutError:
            return False
        return True

    async def follow(self) -> None:
        async with aclosing(self._watch.follow()) as batches:
            async for batch in batches:
                for seen in batch.seen:
                    if seen.item is not None:
                        self._note(Seen(seen.item, seen.gone))
                if batch.synced:
                    self._drop_unseen(batch.began)
                    self.synced.set()
                async with self._changed:
                    self._changed.notify_all()

    def _read(self, raw: Raw) -> Sighting[OurPod | None]:
        pod = POD.decode(raw)
        return Sighting(pod.metadata.uid, pod.metadata.resource_version, self._our_pod(pod))

    def _our_pod(self, pod: Pod) -> OurPod | None:
        now, metadata = self._clock.now(), pod.metadata
        fact = pod_fact(pod, now)
        if fact is None:
            return None
        if fact.phase in ENDED and metadata.uid not in self._told:
            fact = msgspec.structs.replace(fact, at=ended_at(pod, now))
        return OurPod(
            uid=metadata.uid,
            fact=fact,
            group_uuid=pod.labels.get(GROUP_UUID, ""),
            group_objects=metadata.annotations.get(GROUP_OBJECTS, ""),
            finalizer=FINALIZER in metadata.finalizers,
            deleting=metadata.deletion_timestamp is not None,
            by_others=deleted_by_others(pod),
            grace_s=metadata.deletion_grace_period_seconds or 0,
            note=unschedulable(pod, fact),
        )

    def _is_known(self, pod: OurPod) -> bool:
        known = self._pods.get(pod.name)
        return known is not None and known.uid == pod.uid

    def _note(self, seen: Seen[OurPod]) -> None:
        pod = seen.item
        self._made.pop(pod.uid, None)
        if seen.gone:
            self._remove(pod)
        elif pod.uid not in self._past:
            self._put(pod)

    def _put(self, pod: OurPod) -> None:
        self._pods[pod.name] = pod
        self._groups.setdefault(pod.group_uuid, set()).add(pod.name)
        nobody_will_end_it = pod.by_others and pod.fact.phase is PodPhase.PENDING
        self.tell(pod, lost(pod.fact, self._clock.now()) if nobody_will_end_it else pod.fact)
        if pod.note is not None and self._notes.get(pod.uid) != pod.note.message:
            self._notes[pod.uid] = pod.note.message
            self.say(pod.note)

    def _remove(self, pod: OurPod) -> None:
        """Its last state may come with the news that it is gone."""
        if self._is_known(pod):
            del self._pods[pod.name]
            self._leave_group(pod)
        self._notes.pop(pod.uid, None)
        if pod.fact.phase in ENDED:
            self.tell(pod, pod.fact)
        last = self._told.pop(pod.uid, None)
        if last is None or pod.uid in self._past:
            return
        if last.phase not in ENDED and last.phase is not PodPhase.GONE:
            self.say(gone(last, self._clock.now()))
        self._past[pod.uid] = last
        if len(self._past) > _REMEMBERED:
            self._past.popitem(last=False)

    def _leave_group(self, pod: OurPod) -> None:
        names = self._groups.get(pod.group_uuid, set())
        names.discard(pod.name)
        if not names:
            self._groups.pop(pod.group_uuid, None)

    def _drop_unseen(self, began: float) -> None:
        """What we made before a list was begun, and what is not in it, went while nobody looked."""
        for uid, (name, at) in list(self._made.items()):
            pod = self._pods.get(name)
            if at < began and pod is not None and pod.uid == uid:
                self._remove(pod)
            if at < began:
                del self._made[uid]
