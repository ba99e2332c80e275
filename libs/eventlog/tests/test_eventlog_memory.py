"""What the memory twin adds to the contract: harm on demand, the same each time."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from osmo_domain.errors import Stale, Transient
from osmo_eventlog import subjects as s
from osmo_eventlog.memory import Crashed, Faults, MemoryConnection, MemoryServer, NoFaults, Operation
from osmo_eventlog.ports import After

SUBJECT = s.workflow(0, "w")


class HandClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def connected(faults: Faults | None = None, clock: HandClock | None = None) -> MemoryConnection:
    server = MemoryServer(clock or HandClock(), random.Random(1), faults or NoFaults(), deadline_s=0.05)
    return server.connect("test")


class Strays(NoFaults):
    """Every append comes a second time, after a moment."""

    def strays(self, client: str, operation: Operation, subject: str) -> Sequence[float]:
        return (0.01,)


class LostOnce(NoFaults):
    """The first operation of its kind is lost, on the way there or on the way back."""

    def __init__(self, operation: Operation, *, on_the_way_back: bool) -> None:
        self._operation = operation
        self._on_the_way_back = on_the_way_back

    async def before(self, client: str, operation: Operation, subject: str) -> None:
        self._lose(operation, back=False)

    async def after(self, client: str, operation: Operation, subject: str) -> None:
        self._lose(operation, back=True)

    def _lose(self, operation: Operation, *, back: bool) -> None:
        if operation == self._operation and back == self._on_the_way_back:
            self._operation = "purge"
            raise Transient("lost")


async def test_a_stray_copy_of_an_append_changes_nothing() -> None:
    log = connected(Strays()).log
    first = await log.append(SUBJECT, b"a", message_id="a", expected=0)
    await log.append(SUBJECT, b"b", message_id="b", expected=first)
    await asyncio.sleep(0.03)
    assert [record.data for record in await log.load(SUBJECT)] == [b"a", b"b"]


async def test_a_stray_may_land_although_the_call_failed() -> None:
    class LostButStrays(Strays):
        async def before(self, client: str, operation: Operation, subject: str) -> None:
            if operation == "append":
                raise Transient("lost")

    log = connected(LostButStrays()).log
    with pytest.raises(Transient):
        await log.append(SUBJECT, b"a", message_id="a", expected=0)
    assert await log.load(SUBJECT) == []
    await asyncio.sleep(0.03)
    assert [record.data for record in await log.load(SUBJECT)] == [b"a"]


@pytest.mark.parametrize(("on_the_way_back", "stored"), [(False, 0), (True, 1)])
async def test_a_lost_answer_leaves_the_outcome_unknown(on_the_way_back: bool, stored: int) -> None:
    log = connected(LostOnce("append", on_the_way_back=on_the_way_back)).log
    with pytest.raises(Transient):
        await log.append(SUBJECT, b"a", message_id="a", expected=0)
    assert len(await log.load(SUBJECT)) == stored
    assert await log.append(SUBJECT, b"a", message_id="a", expected=0) == 1


async def test_a_repeated_publish_is_forgotten_after_the_window() -> None:
    clock = HandClock()
    log = connected(clock=clock).log
    assert await log.publish(SUBJECT, b"a", message_id="a") == 1
    assert await log.publish(SUBJECT, b"a", message_id="a") == 1
    clock.pass_by(121)
    assert await log.publish(SUBJECT, b"a", message_id="a") == 2


async def test_an_append_is_found_in_the_log_even_after_the_window() -> None:
    clock = HandClock()
    log = connected(clock=clock).log
    assert await log.append(SUBJECT, b"a", message_id="a", expected=0) == 1
    clock.pass_by(1000)
    assert await log.append(SUBJECT, b"a", message_id="a", expected=0) == 1
    with pytest.raises(Stale):
        await log.append(SUBJECT, b"a", message_id="another", expected=0)


async def test_a_lease_expires_by_the_clock() -> None:
    clock = HandClock()
    leases = connected(clock=clock).leases
    mine = await leases.acquire("shard", "me", ttl_s=10)
    assert mine is not None
    clock.pass_by(9)
    assert await leases.renew(mine, ttl_s=10)
    clock.pass_by(11)
    assert not await leases.renew(mine, ttl_s=10)
    again = await leases.acquire("shard", "me", ttl_s=10)
    assert again is not None
    assert again.epoch > mine.epoch


async def test_a_crashed_client_has_no_effect_and_its_followers_end() -> None:
    server = MemoryServer(HandClock(), random.Random(1))
    dying, other = server.connect("dying"), server.connect("other")

    async def follow() -> None:
        async for _ in dying.log.follow(s.WORKFLOWS, [], After()):
            pass

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    dying.crash()
    with pytest.raises(Crashed):
        await asyncio.wait_for(following, 1)
    with pytest.raises(Crashed):
        await dying.log.publish(SUBJECT, b"a", message_id="a")
    assert await other.log.last_seq(s.WORKFLOWS) == 0


async def test_a_question_to_a_client_that_crashes_is_not_answered() -> None:
    server = MemoryServer(HandClock(), random.Random(1))
    dying, asker = server.connect("dying"), server.connect("asker")
    asked = asyncio.Event()

    async def never(data: bytes) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return data

    async with dying.requests.serve("never", "osmo.rpc.never", never):
        asking = asyncio.create_task(asker.requests.ask("osmo.rpc.never", b"", timeout_s=0.2))
        await asked.wait()
        dying.crash()
        with pytest.raises(Transient):
            await asking
        with pytest.raises(Transient):
            await asker.requests.ask("osmo.rpc.never", b"", timeout_s=0.2)


async def test_a_cut_connection_is_transient_until_healed() -> None:
    connection = connected()
    connection.cut()
    with pytest.raises(Transient):
        await connection.log.publish(SUBJECT, b"a", message_id="a")
    connection.heal()
    assert await connection.log.publish(SUBJECT, b"a", message_id="a") == 1


async def test_thousands_of_messages_and_followers_are_cheap() -> None:
    server = MemoryServer(HandClock(), random.Random(1))
    log = server.connect("test").log
    counts = [0] * 20

    async def follow(number: int) -> None:
        async for records in log.follow(s.WORKFLOWS, [s.workflow(0, f"w-{number}")], After()):
            counts[number] += len(records)

    async with asyncio.timeout(10):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow(number)) for number in range(20)]
            for n in range(10_000):
                await log.append(s.workflow(0, f"w-{n % 100}"), b"x", message_id=f"m{n}", expected=None)
            while sum(counts) < 2000:
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
    assert counts == [100] * 20
