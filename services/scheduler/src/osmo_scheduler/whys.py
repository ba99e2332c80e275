"""Why the groups of one workflow wait, worked out for one question: groups of one shape share what was found out for the first of them."""

from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from osmo_domain.pending import Change, Reason, ReasonCode
from osmo_domain.pending_changes import Starts
from osmo_domain.pending_explain import Surroundings, changes_for, reason_at_length, reason_in_short
from osmo_domain.placement import Board, PendingGroup
from osmo_domain.plan import Resources
from osmo_domain.pool import Pool
from osmo_domain.workflow.state import Workflow
from osmo_scheduler.shard import Shard
from osmo_service.clock import Clock

AT_LENGTH: Final = 50
MOST_TRIES: Final = 100
TRIES_WITHIN: Final = timedelta(seconds=0.25)
"""Decisions wait while changes are tried. The one that is begun last may go beyond it."""

_Shape = tuple[tuple[Resources, ...], ReasonCode]


class Whys:
    """The first few groups are told of at length. `changes`: look for what would start those, too; without, the answer costs next to nothing."""

    def __init__(self, shard: Shard, state: Workflow, clock: Clock, *, changes: bool) -> None:
        self._board = shard.board
        self._aggregates = shard.aggregates
        self._surroundings = shard.surroundings
        self._state = state
        self._clock = clock
        self._now = now = clock.now()
        self._changes = changes
        self._online = shard.book.nodes(now)
        self._asked = 0
        self._tries = 0
        self._untried = False
        self._found: dict[_Shape, tuple[Change, ...]] = {}

    def of(self, name: str) -> Reason | None:
        """None for a group that does not wait, or that nobody has looked at yet."""
        group = self._board.line.groups.get((self._state.workflow_id, name))
        if group is None:
            return None
        self._asked += 1
        if self._asked > AT_LENGTH:
            return reason_in_short(self._board, group, self._online)
        reason = reason_at_length(
            self._board, group, self._online, user_of=self._user_of, look_around=self._look_around
        )
        if reason is None or not self._changes:
            return reason
        return replace(reason, changes=self._changes_for(reason, group), untried=self._untried)

    def _look_around(self, board: Board, pool: Pool, group: PendingGroup, code: ReasonCode) -> Surroundings:
        return self._surroundings.look(board, pool, group, code, self._now)

    def _user_of(self, workflow_id: str) -> str:
        entry = self._aggregates.get(workflow_id)
        return entry.state.user if entry is not None else ""

    def _changes_for(self, reason: Reason, group: PendingGroup) -> tuple[Change, ...]:
        shape = tuple(task.resources for task in group.tasks), reason.code
        if shape not in self._found and self._is_whole(group):
            self._found[shape] = changes_for(
                reason, self._board, group, self._now, self._online, permits=self._permits, limited=self._limited
            )
        return self._found.get(shape, ())

    def _limited(self, starts: Starts) -> Starts:
        """The same until the time of this question is used up; what is not tried is not claimed."""

        def within(changed: PendingGroup) -> bool:
            self._tries += 1
            if self._tries > MOST_TRIES or self._clock.now() - self._now > TRIES_WITHIN:
                self._untried = True
                return False
            return starts(changed)

        return within

    def _is_whole(self, group: PendingGroup) -> bool:
        """All its tasks wait: where some of them go again beside others that run, nobody can ask for something else."""
        return len(group.tasks) == len(self._state.group_plan(group.group).tasks)

    def _permits(self, pool: Pool, platform: str) -> bool:
        """What submit would say: there is such a platform, and it lets the tasks be privileged, see the host's network and its paths."""
        where = pool.platforms.get(platform)
        if where is None:
            return not pool.platforms
        plan = self._state.plan
        tasks = [task for group in plan.groups for task in group.tasks] if plan else []
        return all(
            (where.privileged_allowed or not task.privileged)
            and (where.host_network_allowed or not task.host_network)
            and {mount.partition(":")[0] for mount in task.volume_mounts} <= {*where.allowed_mounts}
            for task in tasks
        )
