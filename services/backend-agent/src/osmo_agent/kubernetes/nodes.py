"""The nodes of the cluster as they are now, and what pods of others use of them: two watches, kept small."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import aclosing

from osmo_agent.kubernetes.nodes_json import Amounts, NodeSeen, OtherPod, node_fact, read_node, read_other_pod
from osmo_domain.cluster import NodeFact
from osmo_kube import NODES, PODS, KubeApi, ListWatch, Seen, Timing
from osmo_service.clock import Clock

_NOTHING = Amounts()


class Nodes:
    """`follow_nodes` and `follow_others` run for ever; until both have synced, nothing can be said."""

    def __init__(self, api: KubeApi, ours: str, clock: Clock, rng: random.Random, timing: Timing | None = None) -> None:
        """`ours` is the label selector (`key=value`) of our own pods."""
        key, _, value = ours.partition("=")
        others = {
            "labelSelector": f"{key}!={value}",
            "fieldSelector": "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed",
        }
        self._nodes_watch = ListWatch(api, NODES.all(), read_node, rng=rng, timing=timing)
        self._others_watch = ListWatch(api, PODS.all(), read_other_pod, rng=rng, query=others, timing=timing)
        self._clock = clock
        self._nodes: dict[str, NodeSeen] = {}
        self._others: dict[str, OtherPod] = {}
        self._used: dict[str, Amounts] = {}
        self._facts: dict[str, NodeFact] = {}
        """Made when asked for, and good until something about the node or the rules changes."""
        self._rules: dict[str, str] = {}
        self._nodes_synced = asyncio.Event()
        self._others_synced = asyncio.Event()
        self.changed = asyncio.Event()
        """Set with every change of what `facts` says; whoever waits for it clears it."""

    async def synced(self) -> None:
        await self._nodes_synced.wait()
        await self._others_synced.wait()

    def facts(self, rules: Mapping[str, str]) -> list[NodeFact]:
        """`rules` say which conditions a node must have to be used."""
        if rules != self._rules:
            self._rules = dict(rules)
            self._facts.clear()
        now = self._clock.now()
        for name in self._nodes.keys() - self._facts.keys():
            self._facts[name] = node_fact(self._nodes[name], self._used.get(name, _NOTHING), now, rules)
        return [self._facts[name] for name in self._nodes]

    def is_up(self, name: str) -> bool:
        """The node is there, and Ready."""
        node = self._nodes.get(name)
        return node is not None and "Ready" in node.conditions

    def is_gone(self, name: str) -> bool:
        """The cluster has had its say about its nodes, and this one is not among them. False for a pod that has no node yet."""
        return bool(name) and self._nodes_synced.is_set() and name not in self._nodes

    async def follow_nodes(self) -> None:
        async with aclosing(self._nodes_watch.follow()) as batches:
            async for batch in batches:
                for seen in batch.seen:
                    self._note_node(seen)
                if batch.synced:
                    self._nodes_synced.set()

    async def follow_others(self) -> None:
        async with aclosing(self._others_watch.follow()) as batches:
            async for batch in batches:
                for seen in batch.seen:
                    self._note_other(seen)
                if batch.synced:
                    self._others_synced.set()

    def _note_node(self, seen: Seen[NodeSeen]) -> None:
        name = seen.item.name
        before = self._nodes.pop(name, None)
        if not seen.gone:
            self._nodes[name] = seen.item
        if seen.gone or before != seen.item:
            self._facts.pop(name, None)
            self.changed.set()

    def _note_other(self, seen: Seen[OtherPod]) -> None:
        before = self._others.pop(seen.item.uid, None)
        after = None if seen.gone else seen.item
        if after is not None:
            self._others[after.uid] = after
        if before == after:
            return
        for pod, times in ((before, -1), (after, 1)):
            if pod is not None:
                self._used[pod.node] = self._used.get(pod.node, _NOTHING).plus(pod.requests, times)
                self._facts.pop(pod.node, None)
                self.changed.set()
