"""What the nodes of the cluster are: told when it changes, and repeated now and then; a node that went away is told as gone."""

import asyncio
import logging
import random
from datetime import datetime, timedelta

import msgspec

from osmo_agent.facts import Facts
from osmo_agent.ports import PodRuntime
from osmo_domain.cluster import NodeFact, NodeSeen
from osmo_service.backoff import Backoff
from osmo_service.clock import Clock

log = logging.getLogger("osmo.agent.nodes")

SETTLES_S = 0.5


class NodeWatch:
    """`stored` is set once every node of the first look is in the log."""

    def __init__(
        self,
        runtime: PodRuntime,
        facts: Facts,
        clock: Clock,
        rng: random.Random,
        *,
        every_s: float,
        repeat_s: float,
        known: dict[str, NodeFact],
    ) -> None:
        """`known` are the nodes that earlier lives of this agent told of: those that are not there any more are told as gone."""
        self._runtime = runtime
        self._facts = facts
        self._clock = clock
        self._rng = rng
        self._every_s = every_s
        self._repeat = timedelta(seconds=repeat_s)
        self._told = known
        self._told_at: dict[str, datetime] = {}
        self.stored = asyncio.Event()

    async def run(self) -> None:
        backoff = Backoff(self._rng)
        while True:
            try:
                await self.look()
            except Exception:  # the skeleton of this loop: whatever a cluster's API throws, look again later
                log.exception("cannot list nodes")
                await backoff.pause()
                continue
            backoff.reset()
            self.stored.set()
            await self._until_news()

    async def _until_news(self) -> None:
        """At the latest after `every_s`: rules about nodes change too, and not every runtime says when its nodes do. What changes together is told together."""
        try:
            async with asyncio.timeout(self._every_s):
                await self._runtime.nodes_changed()
                await asyncio.sleep(SETTLES_S)
        except TimeoutError:
            return

    async def look(self) -> None:
        """One look; returns when all that is news is stored."""
        now = self._clock.now()
        nodes = {node.name: node for node in await self._runtime.list_nodes()}
        for name in [name for name in self._told if name not in nodes]:
            await self._tell(NodeFact(name=name, at=now, available=False, gone=True))
            del self._told[name]
            self._told_at.pop(name, None)
        for node in nodes.values():
            if self._is_news(node, now):
                await self._tell(node)
                self._told[node.name], self._told_at[node.name] = node, now

    def _is_news(self, node: NodeFact, now: datetime) -> bool:
        told_at = self._told_at.get(node.name)
        if told_at is None or now - told_at >= self._repeat:
            return True
        return msgspec.structs.replace(self._told[node.name], at=node.at) != node

    async def _tell(self, node: NodeFact) -> None:
        await self._facts.send_until_stored(self._facts.seal("node", NodeSeen(node), name=node.name))
