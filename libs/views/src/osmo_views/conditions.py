"""Filters as SQL conditions. Only what a filter asks for becomes text, so that the planner sees which index serves it."""

from collections.abc import Sequence
from typing import Final

from osmo_domain.workflow.status import FINISHED, WORKFLOW_FINISHED, TaskStatus, WorkflowStatus
from osmo_views.ports import LabelMatch, TaskFilter, WorkflowFilter
from osmo_views.rows import UNPLACED_RANK, list_rank

_ESCAPES: Final = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


class Conditions:
    """Conditions that must all hold, with their arguments in order."""

    def __init__(self) -> None:
        self.args: list[object] = []
        self._parts: list[str] = []

    def add(self, condition: str, *values: object) -> None:
        """`{}` in the condition stands for the next value."""
        self._parts.append(condition.format(*map(self.bind, values)))

    def one_of(self, column: str, values: Sequence[str]) -> None:
        if len(values) == 1:
            self.add(f"{column} = {{}}", values[0])
        elif values:
            self.add(f"{column} = ANY({{}}::text[])", list(values))

    def part_of(self, column: str, text: str) -> None:
        if text:
            self.add(f"{column} LIKE {{}}", f"%{text.translate(_ESCAPES)}%")

    def bind(self, value: object) -> str:
        """The place of one more value."""
        self.args.append(storable(value))
        return f"${len(self.args)}"

    def __str__(self) -> str:
        return " AND ".join(self._parts) or "TRUE"


def storable(value: object) -> object:
    """PostgreSQL refuses NUL even in a question; nothing that is stored holds it either."""
    match value:
        case str():
            return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
        case list():
            return [storable(item) for item in value]
        case _:
            return value


def workflow_conditions(wanted: WorkflowFilter) -> Conditions:
    c = Conditions()
    c.one_of("workflow_id", wanted.ids)
    c.one_of("user_name", wanted.users)
    c.one_of("pool", wanted.pools)
    c.one_of("priority", wanted.priorities)
    if wanted.statuses:
        c.one_of("status", wanted.statuses)
        if not WORKFLOW_FINISHED.intersection(wanted.statuses):
            c.add("ended_at IS NULL")
    else:
        c.add("status <> {}", WorkflowStatus.FAILED_SUBMISSION)
    c.part_of("workflow_id", wanted.name_part)
    if wanted.submitted_before is not None:
        c.add("submitted_at < {}", wanted.submitted_before)
    if wanted.submitted_after is not None:
        c.add("submitted_at >= {}", wanted.submitted_after)
    if wanted.any_tag:
        c.add("tags ?| {}::text[]", list(wanted.any_tag))
    for match in wanted.labels:
        _label(c, match)
    for key in wanted.absent_labels:
        c.add("NOT labels ? {}", key)
    if wanted.app_uuid:
        c.add("app_uuid <> '' AND app_uuid = {}", wanted.app_uuid)
    if wanted.app_version:
        c.add("app_version = {}", wanted.app_version)
    return c


def _label(c: Conditions, match: LabelMatch) -> None:
    patterns = [pattern.translate(_ESCAPES).replace("*", "%") for pattern in match.patterns]
    c.add("labels ->> {} LIKE ANY({}::text[])", match.key, patterns)


def _list_rank(c: Conditions, statuses: Sequence[TaskStatus]) -> None:
    """What follows from the statuses about the first column of the order, so that an index is read in the order of the list, from there on."""
    ranks = {list_rank(status) for status in statuses}
    if len(ranks) == 1:
        c.add("list_rank = {}", *ranks)
    elif ranks and max(ranks) < UNPLACED_RANK:
        c.add("list_rank < {}", UNPLACED_RANK)


def task_conditions(wanted: TaskFilter) -> Conditions:
    c = Conditions()
    c.one_of("user_name", wanted.users)
    c.one_of("pool", wanted.pools)
    c.one_of("priority", wanted.priorities)
    c.one_of("node", wanted.nodes)
    c.one_of("status", wanted.statuses)
    if wanted.statuses and not FINISHED.intersection(wanted.statuses):
        c.add("ended_at IS NULL")
    _list_rank(c, wanted.statuses)
    c.part_of("workflow_id", wanted.workflow_part)
    if wanted.started_after is not None:
        c.add("(started_at >= {} OR started_at IS NULL)", wanted.started_after)
    if wanted.started_before is not None:
        c.add("started_at < {}", wanted.started_before)
    return c
