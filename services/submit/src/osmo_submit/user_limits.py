"""How much one user, and one pool, may have alive at once.

Counted by the gateway, which has the views: they may be a moment behind other gateways, so the limits are of courtesy and not of capacity.
"""

from msgspec import Struct

from osmo_domain.errors import Rejected
from osmo_domain.plan import Plan
from osmo_domain.pool import Pool, UserLimits


class Alive(Struct, frozen=True):
    """What the user, and the pool, have alive without the submission at hand."""

    workflows: int = 0
    tasks: int = 0
    in_pool: int = 0


def check_user_limits(user: str, alive: Alive, plan: Plan, limits: UserLimits) -> None:
    """Refused with `submit.user_workflows` or `submit.user_tasks`, class USER."""
    most = limits.max_num_workflows
    if most is not None and alive.workflows + 1 > most:
        said = f"User {user} has {alive.workflows} workflows that have not ended; {most} are allowed at once."
        raise Rejected("submit.user_workflows", said)
    most, new = limits.max_num_tasks, sum(len(group.tasks) for group in plan.groups)
    if most is not None and alive.tasks + new > most:
        said = f"User {user} has {alive.tasks} tasks that have not ended, and this would add {new}; {most} are allowed at once."
        raise Rejected("submit.user_tasks", said)


def check_pool_limit(pool: Pool, alive: Alive) -> None:
    """Refused with `submit.pool_workflows`, class USAGE."""
    most = pool.max_num_workflows
    if most is not None and alive.in_pool + 1 > most:
        said = f"Pool {pool.name} has {alive.in_pool} workflows that have not ended; it allows {most} at once."
        raise Rejected("submit.pool_workflows", said, error_code="USAGE")
