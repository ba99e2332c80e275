"""Whose workflows a list shows."""

from collections.abc import Sequence

from osmo_domain.errors import Rejected
from osmo_views.ports import WorkflowViews

NOBODY = ("\x00",)
"""Matches no user: what a filter becomes when none of its names is known."""


async def resolve_users(views: WorkflowViews, asked: Sequence[str]) -> tuple[str, ...]:
    """Full names for those that are asked for: a name is itself, or the part before `@` of exactly one submitter."""
    known = await views.submitters()
    found: dict[str, None] = {}
    for name in asked:
        matches = [user for user in known if user == name] or [
            user for user in known if "@" not in name and user.startswith(f"{name}@")
        ]
        if len(matches) > 1:
            raise Rejected("user.ambiguous", f"User {name[:200]} could be any of {', '.join(matches[:10])}.")
        found.update(dict.fromkeys(matches))
    return tuple(found) or NOBODY
