"""Why the groups of one workflow wait, worked out for one question: groups of one shape share what was found out for the first of them."""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from osmo_domain.pending import Change, Reason, ReasonCode
from osmo_domain.pending_changes import Starts
from osmo_domain.pending_explain import Scene, changes_for, ineligible, with_details
from osmo_domain.pending_words import in_words
from osmo_domain.placement import PendingGroup
from osmo_domain.plan import Resources
from osmo_domain.pool import Pool
from osmo_domain.workflow.state import Workflow
from osmo_scheduler.shard import Shard

SHAPES: Final = 4
"""For so many different shapes of groups changes are looked for."""
TRIES: Final = 64
LONG_LINE: Final = 1_000
"""A line longer than this gets fewer tries in proportion, so that no question holds up decisions for long."""

_Shape = tuple[tuple[Resources, ...], ReasonCode]


class Whys:
    """`changes`: look for what would start them, too; without, the answer costs next to nothing."""

    def __init__(self, shard: Shard, state: Workflow, now: datetime, *, changes: bool) -> None:
        self._shard = shard
        self._state = state
        self._changes = changes
        self._scene = Scene(shard.line.groups, shard.catalogue.pools, shard.book.nodes(now), now)
        self._found: dict[_Shape, tuple[Change, ...]] = {}

    def of(self, name: str) -> Reason | None:
        """None for a group that does not wait, or that nobody has decided on yet."""
        group = self._shard.line.group(self._state.workflow_id, name)
        if group is None:
            return None
        reason = ineligible(self._scene, group) or self._shard.line.reason(self._state.workflow_id, name)
        if reason is None:
            return None
        return self._in_full(reason, group) if self._changes else in_words(reason)

    def _in_full(self, reason: Reason, group: PendingGroup) -> Reason:
        detailed = with_details(reason, self._scene, group)
        shape = (tuple(task.resources for task in group.tasks), reason.code)
        if shape not in self._found and len(self._found) < SHAPES and self._is_whole(group):
            self._found[shape] = changes_for(reason, self._scene, group, permits=self._permits, limited=limited)
        return replace(detailed, changes=self._found.get(shape, ()))

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


def limited(starts: Starts, line: int) -> Starts:
    """The same until the tries are used up; what is not tried is not claimed."""
    left = max(4, TRIES if line <= LONG_LINE else TRIES * LONG_LINE // line)

    def within(changed: PendingGroup) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and starts(changed)

    return within
