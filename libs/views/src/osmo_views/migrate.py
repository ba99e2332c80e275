"""Numbered SQL files, each applied once and in order, by one process at a time."""

import re
from importlib.resources import files
from typing import NamedTuple

from osmo_views.database import Database

_LOCK = 0x6F736D6F
"""The advisory lock that everybody who migrates takes."""

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class Migration(NamedTuple):
    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """Every migration of this release, in order."""
    found = []
    for file in files("osmo_views").joinpath("migrations").iterdir():
        match = _FILE.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_text()))
    return sorted(found)


async def migrate(database: Database) -> list[str]:
    """Bring the schema up to this release; the names of what was applied. A newer schema is left as it is."""
    applied = []
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (number integer PRIMARY KEY, name text NOT NULL)"
        )
        known = {row["number"] for row in await connection.fetch("SELECT number FROM schema_migrations")}
        for migration in migrations():
            if migration.number in known:
                continue
            await connection.execute(migration.sql)
            await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2)", migration.number, migration.name)
            applied.append(migration.name)
    return applied
