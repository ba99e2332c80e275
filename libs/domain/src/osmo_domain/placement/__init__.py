"""Which waiting groups get a place, where, and who is stopped for it. Pure: the same input gives the same decision.

How it decides is told in docs/scheduling.md; why so, in docs/decisions. `decide_placement` is the whole of it in one call; whoever decides again
and again keeps a `Board` and tells it what changes.
"""

from collections.abc import Iterable
from datetime import datetime

from osmo_domain.node_fit import NodeLoad
from osmo_domain.placement.board import Board, board_of
from osmo_domain.placement.model import (
    BORROWED,
    GUARANTEE,
    RANK,
    Decision,
    GroupKey,
    Held,
    Nodes,
    PendingGroup,
    Placement,
    PodKey,
    Pools,
    Preemption,
    Queue,
    TaskRequest,
    Waiting,
)

__all__ = [
    "BORROWED",
    "GUARANTEE",
    "Board",
    "Decision",
    "GroupKey",
    "Held",
    "NodeLoad",
    "Nodes",
    "PendingGroup",
    "Placement",
    "PodKey",
    "Pools",
    "Preemption",
    "Queue",
    "TaskRequest",
    "Waiting",
    "board_of",
    "decide_placement",
]


def decide_placement(queue: Queue, pools: Pools, nodes: Nodes, now: datetime, running: Iterable[Held] = ()) -> Decision:
    """A place for every group that can have one now, a reason for every one that cannot, and who is stopped for whom.

    `running` is what holds places, as far as it may count: in quotas, and as work that could be stopped. Its room is in the loads of
    `nodes` already (`promised_*`). Changes nothing that it is given.
    """
    board = board_of(queue, pools, nodes, running)
    decision = board.decide(now, nodes.keys())
    placed = {(each.workflow_id, each.group) for each in decision.placements}
    waiting = (group.key for group in sorted(queue, key=lambda group: (RANK[group.priority], *group.turn)))
    reasons = (board.explain(key) for key in waiting if key not in placed)
    decision.waiting = [reason for reason in reasons if reason is not None]
    return decision
