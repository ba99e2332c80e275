"""PodEventViews in PostgreSQL."""

from collections.abc import Sequence
from typing import Final

from osmo_views.columns import POD_EVENTS, select_list, upsert, whole_arrays
from osmo_views.conditions import storable
from osmo_views.database import Database
from osmo_views.pod_events import PodEventRow
from osmo_views.sql_text import sql

_PROJECTION: Final = "pod_events"
_VERSION: Final = 1


class PostgresPodEvents:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def checkpoint(self) -> int:
        row = await self._database.fetchrow("SELECT seq FROM checkpoints WHERE projection = $1", _PROJECTION)
        return int(row["seq"]) if row else 0

    async def apply(self, events: Sequence[PodEventRow], *, last_seq: int, keep: int) -> None:
        async with self._database.transaction() as connection:
            # Unlike workflows' rows, these are not looked after: what was written must survive a crash of the database.
            await connection.execute("SET LOCAL synchronous_commit = on")
            await connection.execute(sql("advance_checkpoint"), _PROJECTION, _VERSION, last_seq)
            if events:
                await connection.execute(upsert(POD_EVENTS), *whole_arrays(POD_EVENTS, events))
                workflows = sorted({event.workflow_id for event in events})
                await connection.execute(sql("trim_pod_events"), workflows, keep)

    async def of_workflow(self, workflow_id: str, *, after: int = 0) -> Sequence[PodEventRow]:
        query = (
            f"SELECT {select_list(PodEventRow)} FROM pod_events WHERE workflow_id = $1 AND seq > $2 "  # noqa: S608
            "ORDER BY seq, ordinal"
        )
        return [PodEventRow(*row) for row in await self._database.fetch(query, storable(workflow_id), after)]

    async def reset(self) -> None:
        async with self._database.transaction() as connection:
            await connection.execute("TRUNCATE pod_events")
            await connection.execute("DELETE FROM checkpoints WHERE projection = $1", _PROJECTION)
