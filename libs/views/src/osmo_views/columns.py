"""How the fields of rows are spelled as columns, and how rows become the column arrays of bulk statements. The one place that knows both."""

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from osmo_views.pod_events import PodEventRow
from osmo_views.rows import ATTEMPT_MOVING, GROUP_MOVING, WORKFLOW_MOVING, AttemptRow, GroupRow, WorkflowRow

_RENAMED = {"user": "user_name", "group": "group_name"}
_TYPES = {
    "submit_seq": "bigint", "last_seq": "bigint", "seq": "bigint", "shard": "integer", "exec_timeout_s": "double precision", "queue_timeout_s": "double precision",
    "parent_number": "integer", "app_version": "integer", "ordinal": "integer", "retry_id": "integer", "exit_code": "integer",
    "lead": "boolean", "cpu": "bigint", "gpu": "bigint", "memory_bytes": "bigint", "storage_bytes": "bigint",
}  # fmt: skip
_JSON = frozenset({"labels", "tags", "upstreams", "downstreams"})


class Table(NamedTuple):
    name: str
    row: type[Struct]
    key: tuple[str, ...]
    moving: tuple[str, ...]


WORKFLOWS = Table("workflows", WorkflowRow, ("workflow_id",), WORKFLOW_MOVING)
GROUPS = Table("groups", GroupRow, ("workflow_id", "name"), GROUP_MOVING)
ATTEMPTS = Table("attempts", AttemptRow, ("workflow_id", "task", "retry_id"), ATTEMPT_MOVING)
POD_EVENTS = Table("pod_events", PodEventRow, ("seq", "ordinal"), ())


def column(field: str) -> str:
    return _RENAMED.get(field, field)


@cache
def select_list(row: type[Struct], alias: str = "") -> str:
    """The columns of a row in the order of its fields."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + column(field) for field in row.__struct_fields__)


@cache
def array_list(row: type[Struct], alias: str) -> str:
    """One array per column, in the order of the fields."""
    return ", ".join(f"array_agg({alias}.{column(field)})" for field in row.__struct_fields__)


@cache
def upsert(table: Table) -> str:
    """Write whole rows; arguments are one array per field."""
    fields = table.row.__struct_fields__
    names = ", ".join(column(field) for field in fields)
    rest = ", ".join(f"{column(field)} = excluded.{column(field)}" for field in fields if field not in table.key)
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {_picked(fields)} FROM {_unnested(fields)} "  # noqa: S608
        f"ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {rest}"
    )


@cache
def update(table: Table) -> str:
    """Write the moving columns of rows that exist; arguments are one array per key and moving field."""
    fields = table.key + table.moving
    sets = ", ".join(f"{column(field)} = {_value(field)}" for field in table.moving)
    same = " AND ".join(f"{table.name}.{key} = given.{key}" for key in table.key)
    return f"UPDATE {table.name} SET {sets} FROM {_unnested(fields)} WHERE {same}"  # noqa: S608


def whole_arrays(table: Table, rows: Sequence[Struct]) -> list[list[Any]]:
    return _arrays(table.row.__struct_fields__, rows)


def moving_arrays(table: Table, rows: Sequence[Struct]) -> list[list[Any]]:
    return _arrays(table.key + table.moving, rows)


def _arrays(fields: tuple[str, ...], rows: Sequence[Struct]) -> list[list[Any]]:
    arrays: list[list[Any]] = [list(values) for values in zip(*map(_getter(fields), rows), strict=True)]
    for position, field in enumerate(fields):
        if field in _JSON:
            arrays[position] = [msgspec.json.encode(value).decode() for value in arrays[position]]
    return arrays


@cache
def _getter(fields: tuple[str, ...]) -> Callable[[Struct], tuple[Any, ...]]:
    return attrgetter(*fields)


def _picked(fields: tuple[str, ...]) -> str:
    return ", ".join(_value(field) for field in fields)


def _value(field: str) -> str:
    """Lists and maps travel as JSON text, because unnest flattens arrays of arrays."""
    return f"given.{column(field)}::jsonb" if field in _JSON else f"given.{column(field)}"


def _unnested(fields: tuple[str, ...]) -> str:
    arrays = ", ".join(f"${n}::{_type(field)}[]" for n, field in enumerate(fields, 1))
    return f"unnest({arrays}) AS given ({', '.join(column(field) for field in fields)})"


def _type(field: str) -> str:
    return "timestamptz" if field == "at" or field.endswith("_at") else _TYPES.get(field, "text")
