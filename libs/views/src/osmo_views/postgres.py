"""WorkflowViews in PostgreSQL. The statements stand in `sql/`; bulk writes are built from the rows' fields (columns.py)."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import cache
from itertools import starmap
from typing import Any, Final

from msgspec import Struct

from osmo_domain.ids import UUID_PATTERN
from osmo_domain.pool import Priority
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_views.columns import (
    ATTEMPTS,
    GROUPS,
    WORKFLOWS,
    Table,
    array_list,
    moving_arrays,
    select_list,
    update,
    upsert,
    whole_arrays,
)
from osmo_views.conditions import storable, task_conditions, workflow_conditions
from osmo_views.database import Connection, Database, open_database
from osmo_views.migrate import migrate
from osmo_views.pod_events import PodEventViews
from osmo_views.ports import TaskFilter, WorkflowFilter
from osmo_views.postgres_pod_events import PostgresPodEvents
from osmo_views.rows import (
    AliveCount,
    AttemptRow,
    Changes,
    GpuUse,
    GroupRow,
    NodeUse,
    TaskSum,
    WorkflowDetail,
    WorkflowRow,
    WorkflowSummary,
    is_written,
)
from osmo_views.sql_text import sql

_PROJECTION: Final = "workflows"
_VERSION: Final = 2
"""Raised when rows come to mean something else: stored rows of another version are dropped and folded again."""

_CHUNK: Final = 5_000
"""Rows per statement: bounds memory on both sides."""


@asynccontextmanager
async def open_workflow_views(url: str, *, max_size: int = 8) -> AsyncIterator["PostgresWorkflowViews"]:
    """Connect, migrate, and drop rows that another version of the fold wrote."""
    async with open_database(url, max_size=max_size) as database:
        await migrate(database)
        views = PostgresWorkflowViews(database)
        await views.drop_other_versions()
        yield views


class PostgresWorkflowViews:
    """Made by `open_workflow_views`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.pod_events: PodEventViews = PostgresPodEvents(database)

    async def checkpoint(self) -> int:
        row = await self._database.fetchrow("SELECT seq FROM checkpoints WHERE projection = $1", _PROJECTION)
        return int(row["seq"]) if row else 0

    async def edition(self) -> int:
        row = await self._database.fetchrow(sql("edition"), _PROJECTION)
        return (int(row["seq"]) << 32) + int(row["written_by"]) if row else 0

    async def apply(self, changes: Changes) -> bool:
        async with self._database.transaction() as connection:
            if is_written(changes, await self._locked_seq(connection)):
                return False
            await _write(connection, WORKFLOWS, changes.new_workflows, changes.changed_workflows)
            await _write(connection, GROUPS, changes.new_groups, changes.changed_groups)
            await _write(connection, ATTEMPTS, changes.new_attempts, changes.changed_attempts)
            await connection.execute(
                "UPDATE checkpoints SET seq = $2 WHERE projection = $1", _PROJECTION, changes.last_seq
            )
        return True

    async def reset(self) -> None:
        async with self._database.transaction() as connection:
            await _reset(connection)

    async def drop_other_versions(self) -> None:
        async with self._database.transaction() as connection:
            stored = await connection.fetchval("SELECT version FROM checkpoints WHERE projection = $1", _PROJECTION)
            if stored is not None and stored != _VERSION:
                await _reset(connection)

    async def _locked_seq(self, connection: Connection) -> int:
        """The checkpoint, held until the transaction ends, so that two gateways write one after the other."""
        select = "SELECT seq FROM checkpoints WHERE projection = $1 FOR UPDATE"
        seq = await connection.fetchval(select, _PROJECTION)
        if seq is None:
            await connection.execute(
                "INSERT INTO checkpoints VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", _PROJECTION, _VERSION
            )
            seq = await connection.fetchval(select, _PROJECTION)
        return int(seq)

    async def workflow(self, id_or_uuid: str) -> WorkflowRow | None:
        query = f"SELECT {select_list(WorkflowRow)} FROM workflows WHERE {_key(id_or_uuid)} = $1"  # noqa: S608
        row = await self._database.fetchrow(query, storable(id_or_uuid))
        return _workflow(row) if row else None

    async def detail(
        self, id_or_uuid: str, *, groups: bool = True, all_attempts: bool = False
    ) -> WorkflowDetail | None:
        if not groups:
            workflow = await self.workflow(id_or_uuid)
            return WorkflowDetail(workflow) if workflow else None
        query = _detail_query(_key(id_or_uuid), all_attempts=all_attempts)
        row = await self._database.fetchrow(query, storable(id_or_uuid))
        return _detail(row) if row else None

    async def attempt(self, workflow_id: str, task: str, retry_id: int | None = None) -> AttemptRow | None:
        query = (
            f"SELECT {select_list(AttemptRow)} FROM attempts WHERE workflow_id = $1 AND task = $2 "  # noqa: S608
            "AND ($3::integer IS NULL OR retry_id = $3) ORDER BY retry_id DESC LIMIT 1"
        )
        row = await self._database.fetchrow(query, workflow_id, storable(task), retry_id)
        return _attempt(row) if row else None

    async def workflows(self, wanted: WorkflowFilter) -> Sequence[WorkflowSummary]:
        query, args = _page("list_workflows", wanted, columns=select_list(WorkflowSummary))
        return [_summary(row) for row in await self._database.fetch(query, *args)]

    async def version(self, id_or_uuid: str) -> int | None:
        query = f"SELECT last_seq FROM workflows WHERE {_key(id_or_uuid)} = $1"  # noqa: S608
        row = await self._database.fetchrow(query, storable(id_or_uuid))
        return int(row[0]) if row else None

    async def versions(self, wanted: WorkflowFilter) -> Sequence[tuple[str, int]]:
        query, args = _page("list_versions", wanted)
        ids, versions = await self._database.fetchrow(query, *args)
        return list(zip(ids or (), versions or (), strict=True))

    async def tasks(self, wanted: TaskFilter) -> Sequence[AttemptRow]:
        conditions = task_conditions(wanted)
        query = sql("list_attempts").format(
            columns=select_list(AttemptRow),
            conditions=conditions,
            limit=conditions.bind(wanted.limit),
            offset=conditions.bind(wanted.offset),
        )
        return [_attempt(row) for row in await self._database.fetch(query, *conditions.args)]

    async def task_sums(self, wanted: TaskFilter, *, by_workflow: bool) -> Sequence[TaskSum]:
        conditions = task_conditions(wanted)
        query = sql("sum_attempts").format(
            workflow="workflow_id" if by_workflow else "''",
            conditions=conditions,
            limit=conditions.bind(wanted.limit),
            offset=conditions.bind(wanted.offset),
        )
        return [
            TaskSum(user, workflow_id, pool, Priority(priority), *sums)
            for user, workflow_id, pool, priority, *sums in await self._database.fetch(query, *conditions.args)
        ]

    async def submitters(self) -> Sequence[str]:
        return [row["user_name"] for row in await self._database.fetch(sql("submitters"))]

    async def apps_used_by(self, user: str) -> Sequence[str]:
        rows = await self._database.fetch(sql("apps_of_user"), storable(user))
        return [row["app_uuid"] for row in rows]

    async def alive(self, user: str) -> AliveCount:
        row = await self._database.fetchrow(sql("alive_of_user"), storable(user))
        return AliveCount(*row) if row else AliveCount()

    async def running_gpus(self) -> Sequence[GpuUse]:
        rows = await self._database.fetch(sql("running_gpus"))
        return [GpuUse(pool, Priority(priority), gpu) for pool, priority, gpu in rows]

    async def node_use(self) -> Sequence[NodeUse]:
        return [NodeUse(*row) for row in await self._database.fetch(sql("node_use"))]


async def _reset(connection: Connection) -> None:
    await connection.execute("TRUNCATE workflows, groups, attempts")
    await connection.execute("DELETE FROM checkpoints WHERE projection = $1", _PROJECTION)


async def _write(connection: Connection, table: Table, new: Sequence[Struct], changed: Sequence[Struct]) -> None:
    for start in range(0, len(new), _CHUNK):
        await connection.execute(upsert(table), *whole_arrays(table, new[start : start + _CHUNK]))
    for start in range(0, len(changed), _CHUNK):
        await connection.execute(update(table), *moving_arrays(table, changed[start : start + _CHUNK]))


def _page(name: str, wanted: WorkflowFilter, **more: str) -> tuple[str, list[object]]:
    """The statement of a list of workflows, and its arguments."""
    conditions = workflow_conditions(wanted)
    query = sql(name).format(
        conditions=conditions,
        direction="DESC" if wanted.descending else "ASC",
        limit=conditions.bind(wanted.limit),
        offset=conditions.bind(wanted.offset),
        **more,
    )
    return query, conditions.args


def _key(id_or_uuid: str) -> str:
    return "uuid" if UUID_PATTERN.fullmatch(id_or_uuid) else "workflow_id"


@cache
def _detail_query(key: str, *, all_attempts: bool) -> str:
    return sql("workflow_detail").format(
        key=key,
        latest="" if all_attempts else "DISTINCT ON (task)",
        workflow_columns=select_list(WorkflowRow, "w"),
        group_arrays=array_list(GroupRow, "g"),
        attempt_arrays=array_list(AttemptRow, "a"),
    )


_WORDS: Final[dict[tuple[type[Struct], str], type[StrEnum]]] = {
    (WorkflowRow, "status"): WorkflowStatus,
    (WorkflowRow, "priority"): Priority,
    (WorkflowSummary, "status"): WorkflowStatus,
    (WorkflowSummary, "priority"): Priority,
    (GroupRow, "status"): TaskStatus,
    (AttemptRow, "status"): TaskStatus,
    (AttemptRow, "priority"): Priority,
}
_LISTS: Final = frozenset({"tags", "upstreams", "downstreams"})


@cache
def _conversions(kind: type[Struct]) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    """Which columns of a row come as text or list and are an enum or a tuple to us."""
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for position, field in enumerate(kind.__struct_fields__):
        if field in _LISTS:
            found.append((position, tuple))
        elif (kind, field) in _WORDS:
            found.append((position, {word.value: word for word in _WORDS[kind, field]}.__getitem__))
    return tuple(found)


def _typed(kind: type[Struct], row: Any) -> list[Any]:
    values = list(row)
    for position, convert in _conversions(kind):
        values[position] = convert(values[position])
    return values


def _workflow(row: Any) -> WorkflowRow:
    return WorkflowRow(*_typed(WorkflowRow, row))


def _summary(row: Any) -> WorkflowSummary:
    return WorkflowSummary(*_typed(WorkflowSummary, row))


def _attempt(row: Any) -> AttemptRow:
    return AttemptRow(*_typed(AttemptRow, row))


def _detail(row: Any) -> WorkflowDetail:
    """A row of `workflow_detail.sql`."""
    values = tuple(row)
    groups = len(WorkflowRow.__struct_fields__)
    attempts = groups + len(GroupRow.__struct_fields__)
    return WorkflowDetail(
        workflow=_workflow(values[:groups]),
        groups=tuple(starmap(GroupRow, _typed_rows(GroupRow, values[groups:attempts]))),
        attempts=tuple(starmap(AttemptRow, _typed_rows(AttemptRow, values[attempts:]))),
    )


def _typed_rows(kind: type[Struct], arrays: Sequence[list[Any] | None]) -> Iterable[tuple[Any, ...]]:
    """Rows from one array per column; the arrays are None where there is no row."""
    if arrays[0] is None:
        return ()
    columns: list[Any] = list(arrays)
    for position, convert in _conversions(kind):
        columns[position] = map(convert, columns[position])
    return zip(*columns, strict=True)
