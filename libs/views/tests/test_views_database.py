"""Single questions to a real PostgreSQL over a few held connections."""

import asyncio
from collections import Counter

import pytest

from osmo_domain.errors import Transient
from osmo_views.database import open_database


async def test_who_waits_for_a_connection_gets_it_in_their_turn(database_url: str) -> None:
    asked: Counter[int] = Counter()
    behind: list[int] = []
    async with open_database(database_url, max_size=2) as database:

        async def client(number: int) -> None:
            for _ in range(50):
                await database.fetch("SELECT 1")
                asked[number] += 1
            behind.append(50 - min(asked[other] for other in range(8)))

        await asyncio.gather(*(client(number) for number in range(8)))
    assert behind[0] <= 2


async def test_who_waits_too_long_or_goes_away_takes_no_connection_along(database_url: str) -> None:
    async with open_database(database_url, max_size=2, acquire_timeout_s=0.2) as database:
        slow = asyncio.create_task(database.fetch("SELECT pg_sleep(0.6)"))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(database.fetch("SELECT 1")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        for one in waiting[1:]:
            with pytest.raises(Transient):
                await one
        await slow
        assert [tuple(row) for row in await database.fetch("SELECT 2")] == [(2,)]


async def test_a_question_that_is_broken_off_frees_its_place(database_url: str) -> None:
    async with open_database(database_url, max_size=2) as database:
        await database.fetch("SELECT 1")
        slow = asyncio.create_task(database.fetch("SELECT pg_sleep(30)"))
        behind = asyncio.create_task(database.fetch("SELECT 3"))
        await asyncio.sleep(0)
        slow.cancel()
        async with asyncio.timeout(10):
            assert [tuple(row) for row in await behind] == [(3,)]
        assert slow.cancelled()
