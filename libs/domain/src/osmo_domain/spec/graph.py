"""The order of groups: every producer before its consumers, and else as the user wrote them."""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush


def in_order(names: Sequence[str], upstreams: Mapping[str, Sequence[str]]) -> list[str] | None:
    """The names with every upstream before its downstreams, nearest to the given order; None where there is a cycle."""
    position = {name: number for number, name in enumerate(names)}
    waits_for = {name: len(upstreams[name]) for name in names}
    downstreams: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        for upstream in upstreams[name]:
            downstreams[upstream].append(name)
    ready = [position[name] for name in names if not waits_for[name]]
    heapify(ready)
    ordered = []
    while ready:
        name = names[heappop(ready)]
        ordered.append(name)
        for downstream in downstreams[name]:
            waits_for[downstream] -= 1
            if not waits_for[downstream]:
                heappush(ready, position[downstream])
    return ordered if len(ordered) == len(names) else None


def find_cycle(upstreams: Mapping[str, Sequence[str]]) -> list[str]:
    """One cycle, each name followed by one that needs it, the first repeated at the end. There must be one."""
    stuck = {name for name in upstreams if upstreams[name]}
    shrinking = True
    while shrinking:
        kept = {name for name in stuck if any(upstream in stuck for upstream in upstreams[name])}
        shrinking, stuck = len(kept) < len(stuck), kept
    path = [min(stuck)]
    while True:
        name = next(upstream for upstream in upstreams[path[-1]] if upstream in stuck)
        if name in path:
            return [name, *reversed(path[path.index(name) :])]
        path.append(name)
