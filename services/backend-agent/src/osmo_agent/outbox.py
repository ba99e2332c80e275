"""What was seen and is not stored yet, in the order in which it was seen.

Pods and inventories share this one line, so that an inventory never overtakes the end of a pod which it no longer lists. While the link is
broken the line grows; beyond its bound it is *folded*: per attempt only the newest fact stays (an end is never replaced by `GONE`),
which loses steps in between and no state. Lines for `workflow events` beyond the bound are dropped, counted and said.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from osmo_agent.facts import Facts, Sealed
from osmo_domain.cluster import InventorySeen, PodEvent, PodFact, PodPhase, PodsSeen

log = logging.getLogger("osmo.agent.outbox")

BATCH = 500
BYTES = 512 * 1024
ENDED = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED})


@dataclass(frozen=True, slots=True, eq=False)
class _Inventory:
    seen: InventorySeen
    stored: asyncio.Future[None]


_Item = PodFact | PodEvent | _Inventory


class Outbox:
    def __init__(self, facts: Facts, limit: int) -> None:
        self._facts = facts
        self._limit = limit
        self._fold_at = limit
        self._items: deque[_Item] = deque()
        self._filled = asyncio.Event()
        self.dropped_events = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, seen: Sequence[PodFact | PodEvent]) -> None:
        self._items.extend(seen)
        self._filled.set()
        if len(self._items) > self._fold_at:
            self._fold()

    def add_inventory(self, seen: InventorySeen) -> asyncio.Future[None]:
        """The future is done when the inventory is stored, and with it everything that was added before."""
        stored = asyncio.get_running_loop().create_future()
        self._items.append(_Inventory(seen, stored))
        self._filled.set()
        return stored

    async def run(self) -> None:
        """Store for ever: one message at a time, each as large as what has gathered meanwhile."""
        while True:
            await self._filled.wait()
            while self._items:
                await self._store_next()
            self._filled.clear()

    async def _store_next(self) -> None:
        head = self._items.popleft()
        if isinstance(head, _Inventory):
            await self._facts.send_until_stored(self._facts.seal("inventory", head.seen))
            if not head.stored.done():
                head.stored.set_result(None)
            return
        taken = [head]
        while self._items and len(taken) < BATCH and not isinstance(self._items[0], _Inventory):
            item = self._items.popleft()
            assert not isinstance(item, _Inventory)
            taken.append(item)
        await self._store(taken)

    async def _store(self, seen: Sequence[PodFact | PodEvent]) -> None:
        sealed = self._seal(seen)
        if len(sealed.data) > BYTES and len(seen) > 1:
            middle = len(seen) // 2
            await self._store(seen[:middle])
            await self._store(seen[middle:])
            return
        await self._facts.send_until_stored(sealed)

    def _seal(self, seen: Sequence[PodFact | PodEvent]) -> Sealed:
        pods = tuple(item for item in seen if isinstance(item, PodFact))
        events = tuple(item for item in seen if isinstance(item, PodEvent))
        return self._facts.seal("pods", PodsSeen(pods, events))

    def _fold(self) -> None:
        inventories = [item for item in self._items if isinstance(item, _Inventory)]
        events = [item for item in self._items if isinstance(item, PodEvent)]
        pods = newest_per_attempt([item for item in self._items if isinstance(item, PodFact)])
        kept_events = events[-(self._limit // 4) :]
        dropped = len(events) - len(kept_events)
        self.dropped_events += dropped
        log.warning(
            "the link is slow or broken: folding what waits",
            extra={"waiting": len(self._items), "dropped_events": dropped},
        )
        self._items = deque([*pods, *kept_events, *inventories])
        self._fold_at = max(self._limit, 2 * len(self._items))


def newest_per_attempt(facts: Sequence[PodFact]) -> list[PodFact]:
    """The last fact of each attempt, in the order of those; an end that was seen outlives a later GONE."""
    newest: dict[tuple[str, str, int], PodFact] = {}
    for fact in facts:
        key = (fact.workflow_uuid, fact.task, fact.retry_id)
        known = newest.get(key)
        if known is not None and fact.phase is PodPhase.GONE and known.phase in ENDED:
            continue
        newest.pop(key, None)
        newest[key] = fact
    return list(newest.values())
