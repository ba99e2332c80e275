"""One round: who gets a place now, and who is stopped for it.

HIGH, then NORMAL, then LOW; inside a priority the order of submission. Of each class of equals the first is tried for all: room only gets
less while a round goes on. What is taken is given back at the end: the board changes when the decision has become true.
"""

import heapq
from datetime import datetime
from typing import TYPE_CHECKING, Final

from osmo_domain.pending import ReasonCode
from osmo_domain.placement.gang import OPEN, Closed, Fitting, Gang, closed_for, could_ever
from osmo_domain.placement.line import ClassKey, Waiters
from osmo_domain.placement.model import (
    BORROWED,
    GUARANTEE,
    Decision,
    GroupKey,
    PendingGroup,
    Placement,
    Turn,
)
from osmo_domain.placement.room import Room
from osmo_domain.placement.shape import in_order
from osmo_domain.placement.usage import UNLIMITED, guaranteed, has_own_share, quota_of
from osmo_domain.placement.verdict import Verdict
from osmo_domain.placement.victims.preemptor import Preemptor
from osmo_domain.pool import Pool, Priority

if TYPE_CHECKING:
    from osmo_domain.placement.board import Board

PREEMPTING: Final = ReasonCode.PREEMPTING
_OFFLINE: Final = Verdict(ReasonCode.BACKEND_OFFLINE)


class Head:
    """The first of a line that has no room, and the rooms that are kept for it."""

    __slots__ = ("closed", "key")

    def __init__(self, key: GroupKey, closed: Closed) -> None:
        self.key = key
        self.closed = closed


class Round:
    """`most` ends the round after so many placements."""

    def __init__(self, board: "Board", now: datetime, online: frozenset[str], most: int | None) -> None:
        self._board = board
        self._floor = board.floor
        self._line = board.line
        self._online = online
        self._most = most
        self._fitting = Fitting(board.soon())
        self._usage = board.usage.copy()
        self._preemptor = Preemptor(board, self._fitting, self._usage, now)
        self._decision = Decision()
        self._quota_heads: dict[tuple[str, bool], GroupKey] = {}
        self._heads: dict[str, Head] = {}
        self._low_heads: dict[str, Head] = {}
        self.verdicts: dict[GroupKey | ClassKey | object, Verdict] = {}
        self.forsaken: list[GroupKey] = []

    def run(self) -> Decision:
        try:
            self._firm()
            self._low()
        finally:
            self._fitting.undo(0)
            self._preemptor.restore()
        return self._decision

    def _full(self) -> bool:
        self._decision.more = self._most is not None and len(self._decision.placements) >= self._most
        return self._decision.more

    def _firm(self) -> None:
        """Whoever is owed a place, HIGH and NORMAL, in one order over all pools."""
        line: list[tuple[int, Turn, int, Waiters]] = []
        for waiters in self._line.classes.values():
            turn = waiters.turn(0)
            if waiters.priority is not Priority.LOW and turn is not None:
                line.append((waiters.rank, turn, 0, waiters))
        heapq.heapify(line)
        while line and not self._full():
            rank, turn, place, waiters = heapq.heappop(line)
            if self._goes_on(waiters, turn, self._try_firm(waiters, self._line.group(turn))):
                following = waiters.turn(place + 1)
                if following is not None:
                    heapq.heappush(line, (rank, following, place + 1, waiters))

    def _goes_on(self, waiters: Waiters, turn: Turn, verdict: Verdict | None) -> bool:
        """Note why; True where the next of the class may fare otherwise."""
        if verdict is None:
            return True
        if verdict.code is PREEMPTING:
            self.verdicts[turn[2], turn[1]] = verdict
            return True
        self.verdicts[waiters.key] = verdict
        if waiters.owed:
            self.forsaken.append((turn[2], turn[1]))
        return False

    def _low(self) -> None:
        """LOW: among pools the one that is furthest below its share of what is idle, inside a pool the order of submission."""
        lines: dict[str, list[tuple[Turn, int, Waiters]]] = {}
        for waiters in self._line.classes.values():
            turn = waiters.turn(0)
            if waiters.priority is Priority.LOW and turn is not None:
                lines.setdefault(waiters.pool, []).append((turn, 0, waiters))
        for line in lines.values():
            heapq.heapify(line)
        pools = [(self._share(name, line[0][2]), line[0][0], name) for name, line in lines.items()]
        heapq.heapify(pools)
        while pools and not self._full():
            name = heapq.heappop(pools)[2]
            line = lines[name]
            turn, place, waiters = heapq.heappop(line)
            if self._goes_on(waiters, turn, self._try_low(waiters, self._line.group(turn))):
                following = waiters.turn(place + 1)
                if following is not None:
                    heapq.heappush(line, (following, place + 1, waiters))
            if line:
                heapq.heappush(pools, (self._share(name, line[0][2]), line[0][0], name))

    def _share(self, pool: str, waiters: Waiters) -> float:
        """What the pool would hold beyond its guarantee, for its weight."""
        over = self._usage.total(pool) + waiters.gpus - guaranteed(self._floor, pool)
        if over <= 0:
            return 0.0
        weight = quota_of(self._floor.pools.get(pool)).weight
        return over / weight if weight > 0 else float("inf")

    def _look_up(self, waiters: Waiters) -> Gang | Verdict:
        """The class as a gang on this floor, or what keeps it out, whatever is free."""
        if waiters.version != self._floor.version:
            waiters.version = self._floor.version
            waiters.gang, waiters.barred = self._look_at(waiters)
        if waiters.barred is not None:
            return waiters.barred
        assert waiters.gang is not None
        if waiters.gang.pool.backend not in self._online:
            return _OFFLINE
        return waiters.gang

    def _look_at(self, waiters: Waiters) -> tuple[Gang | None, Verdict | None]:
        pool = self._floor.pools.get(waiters.pool)
        if pool is None:
            return None, Verdict(ReasonCode.POOL)
        if pool.enable_maintenance:
            return None, Verdict(ReasonCode.MAINTENANCE)
        gang = Gang(self._floor, pool, waiters.shape)
        if all(any(self._floor.possible(ask)) for ask, _ in gang.asks):
            return gang, None
        taken_by_others = all(self._floor.conceivable(ask) for ask, _ in gang.asks)
        verdict = Verdict(ReasonCode.CAPACITY if taken_by_others else ReasonCode.NODE_FIT)
        return gang, verdict if pool.backend in self._online else _OFFLINE

    def _try_firm(self, waiters: Waiters, group: PendingGroup) -> Verdict | None:
        gang = self._look_up(waiters)
        if isinstance(gang, Verdict):
            return gang
        pool = gang.pool
        verdict = self._over(waiters, group, self._usage.firm.get(pool.name, 0), gang.firm_limit)
        if verdict is not None:
            return verdict
        closed, maximum = self._closed_to_firm(pool), gang.maximum
        excess = self._usage.total(pool.name) + waiters.gpus - maximum if maximum != UNLIMITED and waiters.gpus else 0
        if excess <= 0 and self._placed_or_promised(waiters, group, gang, closed):
            return self._told(group)
        stopped = self._preemptor.make_room(gang, group, closed, excess)
        if stopped is not None:
            self._decision.preemptions += stopped.preemptions
            self._decision.claims[group.key] = stopped.nodes
            self._usage.add(pool.name, waiters.gpus, low=False)
            return Verdict(PREEMPTING, victims=stopped.named)
        return self._no_room(group, gang, closed, self._heads)

    def _try_low(self, waiters: Waiters, group: PendingGroup) -> Verdict | None:
        gang = self._look_up(waiters)
        if isinstance(gang, Verdict):
            return gang
        pool = gang.pool
        verdict = self._over(waiters, group, self._usage.total(pool.name), gang.maximum)
        if verdict is not None:
            return verdict
        closed = self._closed_to_low(pool)
        if self._placed_or_promised(waiters, group, gang, closed):
            return self._told(group)
        return self._no_room(group, gang, closed, self._low_heads)

    def _over(self, waiters: Waiters, group: PendingGroup, used: int, limit: int) -> Verdict | None:
        """Who asks for more GPUs than are left of the limit waits, and whoever takes from what is left before him does, too."""
        if not waiters.gpus or limit == UNLIMITED:
            return None
        line = waiters.pool, waiters.priority is Priority.LOW
        head = self._quota_heads.get(line)
        if used + waiters.gpus > limit:
            if head is None and waiters.gpus <= limit:
                self._quota_heads[line] = group.key
            return Verdict(ReasonCode.QUOTA)
        return Verdict(ReasonCode.AHEAD, head=head) if head is not None else None

    def _placed_or_promised(self, waiters: Waiters, group: PendingGroup, gang: Gang, closed: Closed) -> bool:
        """In a place that is free, or in one that becomes free without anybody's doing: that is kept for it."""
        rooms, free = self._rooms(waiters, gang, closed)
        if rooms is None:
            return False
        low = waiters.priority is Priority.LOW
        if free:
            self._decision.placements.append(_placement(group, rooms, BORROWED if low else GUARANTEE))
        self._usage.add(waiters.pool, waiters.gpus, low=low)
        return True

    def _rooms(self, waiters: Waiters, gang: Gang, closed: Closed) -> tuple[list[Room] | None, bool]:
        """Rooms for the gang, and whether they are free now; what it is owed comes first."""
        fitting = self._fitting
        for soon in (False, True) if waiters.owed else ():
            rooms = fitting.place_at(gang, self._floor, waiters.owed, soon=soon)
            if rooms is not None:
                return rooms, not soon
        rooms = fitting.place(gang, closed)
        if rooms is not None:
            return rooms, True
        return fitting.place(gang, closed, soon=True) if fitting.may_help(gang, closed) else None, False

    def _told(self, group: PendingGroup) -> Verdict | None:
        placements = self._decision.placements
        if placements and (placements[-1].workflow_id, placements[-1].group) == group.key:
            return None
        return Verdict(PREEMPTING, "A place is kept for it: what ran there is over, and its pods are leaving.")

    def _closed_to_firm(self, pool: Pool) -> Closed:
        """What the head of its own line waits for; for a pool without a share of its own, also what heads of others wait for."""
        heads = [self._heads[pool.name]] if pool.name in self._heads else []
        if not has_own_share(pool):
            heads += self._other_heads(pool)
        return _joined(heads)

    def _closed_to_low(self, pool: Pool) -> Closed:
        """LOW may be where a head waits, as long as the head could stop it; and it keeps to its own line."""
        heads = [self._low_heads[pool.name]] if pool.name in self._low_heads else []
        if not has_own_share(pool):
            heads += self._other_heads(pool)
        return _joined(heads)

    def _other_heads(self, pool: Pool) -> list[Head]:
        if not self._heads:
            return []
        sharing = self._floor.node_set(pool.name).pools
        return [head for name, head in self._heads.items() if name != pool.name and name in sharing]

    def _no_room(self, group: PendingGroup, gang: Gang, closed: Closed, heads: dict[str, Head]) -> Verdict:
        pool = gang.pool
        if closed is not OPEN and self._fitting.fits(gang):
            return Verdict(ReasonCode.AHEAD, head=self._in_whose_way(pool, heads))
        if pool.name not in heads:
            if not could_ever(self._floor, gang):
                return Verdict(ReasonCode.NODE_FIT, "Even empty, the nodes could not take all of its tasks at once.")
            heads[pool.name] = Head(group.key, closed_for(self._floor, gang))
        return Verdict(ReasonCode.CAPACITY)

    def _in_whose_way(self, pool: Pool, heads: dict[str, Head]) -> GroupKey:
        head = heads.get(pool.name)
        return head.key if head is not None else self._other_heads(pool)[0].key


def _joined(heads: list[Head]) -> Closed:
    closed = OPEN
    for head in heads:
        closed = head.closed if closed is OPEN else closed.joined(head.closed)
    return closed


def _placement(group: PendingGroup, rooms: list[Room], quota: str) -> Placement:
    nodes = {task: room.name for task, room in zip(in_order(group.tasks), rooms, strict=True)}
    return Placement(group.workflow_id, group.group, group.pool, nodes, quota)
