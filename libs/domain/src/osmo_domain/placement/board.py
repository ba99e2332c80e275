"""All that placement knows between its rounds, kept up to date at the cost of what changes.

Whoever owns the cluster state tells the board; a round reads it and leaves it as it was. A board that was told the same things in
another order decides the same.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from osmo_domain.node_fit import NodeLoad
from osmo_domain.placement.floor import Floor
from osmo_domain.placement.line import Line
from osmo_domain.placement.low_work import LowWork
from osmo_domain.placement.model import Decision, GroupKey, Held, PendingGroup, PodKey, Pools, Waiting
from osmo_domain.placement.reasons import reason_for
from osmo_domain.placement.room import ZERO, Amounts, Room
from osmo_domain.placement.round import Round
from osmo_domain.placement.usage import Holders, Usage
from osmo_domain.placement.verdict import Verdict
from osmo_domain.pool import Priority


class Board:
    """Rooms, promises and the line."""

    def __init__(self) -> None:
        self.floor = Floor()
        self.line = Line()
        self.low = LowWork()
        self.usage = Usage()
        self.holders = Holders()
        self.held: dict[PodKey, Held] = {}
        self.leaving: dict[Room, None] = {}
        self.verdicts: dict[GroupKey | object, Verdict] = {}
        self._on_node: dict[tuple[str, str], dict[PodKey, Held]] = {}

    def set_pools(self, pools: Pools) -> None:
        """What is configured now."""
        self.floor.set_pools(pools)

    def see_node(self, backend: str, load: NodeLoad) -> None:
        """A node that is new or has changed; what is promised on it is in its load."""
        room = self.floor.see(backend, load)
        for pod in list(room.low):
            room.drop_low(pod)
        for held in self._on_node.get((backend, room.name), {}).values():
            if held.priority is Priority.LOW and not held.leaving:
                room.add_low(held)
        self._refresh(room)

    def lose_node(self, backend: str, name: str) -> None:
        room = self.floor.rooms.get((backend, name))
        if room is not None:
            self.leaving.pop(room, None)
        self.floor.lose(backend, name)

    def adopt(self, held: Held) -> None:
        """A place that was given; it is in the load of its node already."""
        self.held[held.pod] = held
        self._on_node.setdefault((held.backend, held.node), {})[held.pod] = held
        if not held.leaving:
            self._count(held, 1)
        self._refresh(self._room(held))

    def hold(self, held: Held) -> None:
        """A place is given."""
        room = self._room(held)
        if room is not None:
            room.load.promise(held.resources)
            if held.leaving:
                room.load.leave(held.resources)
        self.adopt(held)

    def leave(self, pod: PodKey) -> None:
        """The attempt is over, the pod may still be there."""
        held = self.held.get(pod)
        if held is None or held.leaving:
            return
        self._count(held, -1)
        held.leaving = True
        room = self._room(held)
        if room is not None:
            room.load.leave(held.resources)
        self._refresh(room)

    def release(self, pod: PodKey) -> Held | None:
        """The pod is gone."""
        held = self.held.pop(pod, None)
        if held is None:
            return None
        place = held.backend, held.node
        del self._on_node[place][pod]
        if not self._on_node[place]:
            del self._on_node[place]
        if not held.leaving:
            self._count(held, -1)
        room = self._room(held)
        if room is not None:
            room.load.promise(held.resources, -1)
            if held.leaving:
                room.load.leave(held.resources, -1)
        self._refresh(room)
        return held

    def on_node(self, backend: str, node: str) -> Collection[Held]:
        return self._on_node.get((backend, node), {}).values()

    def _room(self, held: Held) -> Room | None:
        return self.floor.rooms.get((held.backend, held.node))

    def _refresh(self, room: Room | None) -> None:
        if room is None:
            return
        room.refresh()
        if room.leaving != ZERO:
            self.leaving[room] = None
        else:
            self.leaving.pop(room, None)

    def _count(self, held: Held, sign: int) -> None:
        low = held.priority is Priority.LOW
        self.usage.add(held.pool, sign * held.resources.gpu, low=low)
        if held.resources.gpu:
            self.holders.add(held, sign)
        if not low:
            return
        room = self._room(held)
        if sign > 0:
            self.low.add(held)
            if room is not None:
                room.add_low(held)
        else:
            self.low.remove(held)
            if room is not None:
                room.drop_low(held.pod)

    def soon(self) -> dict[Room, Amounts]:
        """What becomes free when those who leave are gone."""
        return {room: room.leaving for room in self.leaving if room.kind is not None}

    def decide(self, now: datetime, online: Collection[str], *, most: int | None = None) -> Decision:
        """One round: places for all that can have one now, at most `most`, and preemptions.

        Changes nothing on the board but the reasons, and that a group is owed nothing for whom the room was made in vain (a node was lost).
        """
        self.line.wake(now)
        round_ = Round(self, now, frozenset(online), most)
        decision = round_.run()
        if not decision.more:
            self.verdicts.clear()
        self.verdicts.update(round_.verdicts)
        for key in round_.forsaken:
            self.owe(key, ())
        return decision

    def owe(self, key: GroupKey, nodes: tuple[str, ...]) -> None:
        """Others are being stopped for this group on these nodes: what they leave is its."""
        group = self.line.groups.get(key)
        if group is not None and group.owed != nodes:
            self.line.join(replace(group, owed=nodes))

    def explain(self, key: GroupKey, *, at_length: bool = False) -> Waiting | None:
        """Why this group had no place in the last round; None where it does not wait, or has not been looked at. `at_length`: with all numbers."""
        group = self.line.groups.get(key)
        if group is None:
            return None
        waiters = self.line.class_of(key)
        verdict = self.verdicts.get(key) or (self.verdicts.get(waiters.key) if waiters is not None else None)
        reason = reason_for(self, group, verdict, at_length=at_length)
        return Waiting(*key, reason) if reason is not None else None

    def would_start(self, changed: PendingGroup, now: datetime, online: Collection[str]) -> bool:
        """Would this request, in the place of the one of its key, have a place in a round now? Nothing is changed by asking."""
        original = self.line.leave(changed.key)
        self.line.join(replace(changed, owed=()))
        try:
            placements = Round(self, now, frozenset(online), None).run().placements
        finally:
            self.line.leave(changed.key)
            if original is not None:
                self.line.join(original)
        return any((each.workflow_id, each.group) == changed.key for each in placements)


def board_of(
    queue: Iterable[PendingGroup],
    pools: Pools,
    nodes: Mapping[str, Mapping[str, NodeLoad]],
    running: Iterable[Held],
) -> Board:
    """A board that was told all this. Loads are taken as they are: what runs is in them."""
    board = Board()
    board.set_pools(pools)
    for held in running:
        board.adopt(held)
    for backend, loads in nodes.items():
        for load in loads.values():
            board.see_node(backend, load)
    for group in queue:
        board.line.join(group)
    return board
