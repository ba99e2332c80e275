"""The smallest changes of a request with which it would start now. Each was decided on by the same function that decides for everybody.

A change is what a person can do: cancel, and submit again with something else. So the changed request stands at the end of the line, and the
original in it no more. Larger requests are taken to fit no better than smaller ones, which spares decisions; what is named was tried.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from osmo_domain.pending import Change, ChangeKind
from osmo_domain.pending_words import change_in_words
from osmo_domain.placement import PendingGroup, Pools, TaskRequest
from osmo_domain.pool import Pool, Priority

Starts = Callable[[PendingGroup], bool]
"""Would this request have a place at once, instead of the one that waits?"""

Permits = Callable[[Pool, str], bool]
"""May the request go to this platform of this pool, as far as rules say that placement does not know?"""

MOST_ELSEWHERE: Final = 8
"""So many platforms and so many pools are tried at most: each costs a decision."""


def anywhere(pool: Pool, platform: str) -> bool:
    """For requests that ask for nothing special."""
    return platform in pool.platforms or not pool.platforms


def find_changes(group: PendingGroup, pools: Pools, starts: Starts, permits: Permits = anywhere) -> tuple[Change, ...]:
    """In the order: lower priority, less of the same, another platform, another pool. Empty where nothing of this would help."""
    found = [
        *_low(group, starts),
        *_fewer_gpus(group, starts),
        *_fewer_tasks(group, starts),
        *_platforms(group, pools, starts, permits),
        *_pools(group, pools, starts, permits),
    ]
    return tuple(replace(change, message=change_in_words(change)) for change in found)


def apply_change(group: PendingGroup, change: Change) -> PendingGroup:
    """The request as the change would have it."""
    match change.kind:
        case ChangeKind.FEWER_GPUS:
            return _with_gpus(group, int(change.value))
        case ChangeKind.FEWER_TASKS:
            return replace(group, tasks=group.tasks[: int(change.value)])
        case ChangeKind.PRIORITY:
            return replace(group, priority=Priority(change.value))
        case ChangeKind.PLATFORM:
            return _on_platform(group, change.value)
        case ChangeKind.POOL:
            moved = replace(group, pool=change.value)
            return _on_platform(moved, change.platform) if change.platform else moved


def _fewer_gpus(group: PendingGroup, starts: Starts) -> Iterator[Change]:
    most = max((task.resources.gpu for task in group.tasks), default=0)
    number = _largest_that(1, most - 1, lambda gpus: starts(_with_gpus(group, gpus)))
    if number:
        yield Change(ChangeKind.FEWER_GPUS, str(number))


def _fewer_tasks(group: PendingGroup, starts: Starts) -> Iterator[Change]:
    """For gangs of equals only: among others, which to leave out is not ours to say."""
    if len({task.resources for task in group.tasks}) != 1:
        return
    fewer = _largest_that(1, len(group.tasks) - 1, lambda count: starts(replace(group, tasks=group.tasks[:count])))
    if fewer:
        yield Change(ChangeKind.FEWER_TASKS, str(fewer))


def _low(group: PendingGroup, starts: Starts) -> Iterator[Change]:
    change = Change(ChangeKind.PRIORITY, Priority.LOW.value)
    if group.priority is not Priority.LOW and starts(apply_change(group, change)):
        yield change


def _platforms(group: PendingGroup, pools: Pools, starts: Starts, permits: Permits) -> Iterator[Change]:
    pool, asked = pools.get(group.pool), _platforms_of(group)
    if pool is None or len(asked) != 1:
        return
    now = next(iter(asked)) or pool.default_platform
    for name in [each for each in sorted(pool.platforms) if each != now and permits(pool, each)][:MOST_ELSEWHERE]:
        change = Change(ChangeKind.PLATFORM, name)
        if starts(apply_change(group, change)):
            yield change


def _pools(group: PendingGroup, pools: Pools, starts: Starts, permits: Permits) -> Iterator[Change]:
    changes = (_into(group, pools[name], permits) for name in sorted(pools) if name != group.pool)
    for change in [each for each in changes if each is not None][:MOST_ELSEWHERE]:
        if starts(apply_change(group, change)):
            yield change


def _into(group: PendingGroup, pool: Pool, permits: Permits) -> Change | None:
    """The group in another pool: on platforms of the same names where it has them, else all on its default platform."""
    asked = _platforms_of(group)
    kept = {name or pool.default_platform or "" for name in asked}
    if all(permits(pool, name) for name in kept):
        return Change(ChangeKind.POOL, pool.name)
    default = pool.default_platform or ""
    if len(asked) == 1 and default and permits(pool, default):
        return Change(ChangeKind.POOL, pool.name, platform=default)
    return None


def _platforms_of(group: PendingGroup) -> set[str]:
    return {task.resources.platform for task in group.tasks}


def _with_gpus(group: PendingGroup, most: int) -> PendingGroup:
    return replace(group, tasks=tuple(_capped(task, most) for task in group.tasks))


def _capped(task: TaskRequest, most: int) -> TaskRequest:
    if task.resources.gpu <= most:
        return task
    return replace(task, resources=replace(task.resources, gpu=most))


def _on_platform(group: PendingGroup, platform: str) -> PendingGroup:
    moved = [replace(task, resources=replace(task.resources, platform=platform)) for task in group.tasks]
    return replace(group, tasks=tuple(moved))


def _largest_that(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The largest of the numbers for which it holds, by halving; 0 where it was seen to hold for none."""
    best = 0
    while low <= high:
        middle = (low + high + 1) // 2
        if holds(middle):
            best, low = middle, middle + 1
        else:
            high = middle - 1
    return best
