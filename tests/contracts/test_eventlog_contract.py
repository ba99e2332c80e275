"""Every promise of osmo_eventlog.ports, kept by both adapters: the memory twin, and NATS on a real server."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from tests.contracts import eventlog_adapters as adapters

from osmo_domain.errors import Poison, Stale, Transient
from osmo_eventlog import subjects as s
from osmo_eventlog.ports import After, Connection, EventLog, LastPerSubject, OnlyNew, Recorded, Start
from osmo_eventlog.streams import MAX_MESSAGE_BYTES, STREAMS, StreamSpec

SUBJECT = "osmo.workflow.0.wf-1"
SMALL = StreamSpec("SMALL", ("small.*",), max_msgs=3)


@pytest.fixture(params=["memory", "nats"])
async def adapter(request: pytest.FixtureRequest) -> Any:
    streams = (*STREAMS, SMALL)
    if request.param == "memory":
        return adapters.MemoryAdapter(streams)
    return await adapters.NatsAdapter(request.getfixturevalue("nats_server"), streams).prepare()


@pytest.fixture
async def nats(nats_server: Any) -> Any:
    return await adapters.NatsAdapter(nats_server).prepare()


@pytest.fixture
async def connection(adapter: Any) -> AsyncIterator[Connection]:
    async with adapter.connect("test") as connected:
        yield connected


@pytest.fixture
def log(connection: Connection) -> EventLog:
    return connection.log


async def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


async def read(
    log: EventLog, stream: str, subjects: Sequence[str], start: Start, count: int, *, batch: int = 512
) -> list[Recorded]:
    """The first `count` messages of a follower."""
    found: list[Recorded] = []
    follower = log.follow(stream, subjects, start, batch=batch)
    async with asyncio.timeout(20):
        async for records in follower:
            assert 0 < len(records) <= batch
            found += records
            if len(found) >= count:
                break
    await follower.aclose()
    return found


class TestAppend:
    async def test_positions_count_from_one(self, log: EventLog) -> None:
        first = await log.append(SUBJECT, b"a", message_id="a", expected=0)
        second = await log.append(SUBJECT, b"b", message_id="b", expected=first)
        assert (first, second) == (1, 2)

    async def test_a_wrong_expectation_is_stale_and_stores_nothing(self, log: EventLog) -> None:
        first = await log.append(SUBJECT, b"a", message_id="a", expected=0)
        for wrong in (0, first + 7):
            with pytest.raises(Stale):
                await log.append(SUBJECT, b"b", message_id=f"b{wrong}", expected=wrong)
        assert [record.data for record in await log.load(SUBJECT)] == [b"a"]

    async def test_the_expectation_is_of_the_subject_not_of_the_stream(self, log: EventLog) -> None:
        await log.append("osmo.workflow.0.other", b"x", message_id="x", expected=0)
        assert await log.append(SUBJECT, b"a", message_id="a", expected=0) == 2

    async def test_repeating_an_append_returns_the_first_position_although_others_appended_since(
        self, log: EventLog
    ) -> None:
        first = await log.append(SUBJECT, b"a", message_id="a", expected=0)
        await log.append(SUBJECT, b"b", message_id="b", expected=first)
        await log.append(SUBJECT, b"c", message_id="c", expected=first + 1)
        assert await log.append(SUBJECT, b"a", message_id="a", expected=0) == first
        assert len(await log.load(SUBJECT)) == 3

    async def test_across_checks_every_subject_that_matches(self, log: EventLog) -> None:
        across = s.workflow_any_shard("wf-1")
        first = await log.append(s.workflow(3, "wf-1"), b"a", message_id="a", expected=0, across=across)
        with pytest.raises(Stale):
            await log.append(s.workflow(4, "wf-1"), b"b", message_id="b", expected=0, across=across)
        assert await log.append(s.workflow(3, "wf-1"), b"a", message_id="a", expected=0, across=across) == first
        assert await log.append(s.workflow(4, "wf-1"), b"c", message_id="c", expected=first, across=across) == 2

    async def test_without_expectation_there_is_no_check(self, log: EventLog) -> None:
        await log.append(SUBJECT, b"a", message_id="a", expected=None)
        assert await log.append(SUBJECT, b"b", message_id="b", expected=None) == 2

    async def test_six_writers_claim_what_is_stored(self, adapter: Any, log: EventLog) -> None:
        claimed = await asyncio.gather(*[write(log, writer, 8, random.Random(writer)) for writer in range(6)])
        assert await self._stored(log) == sorted(seq for seqs in claimed for seq in seqs)

    async def test_lost_acknowledgements_neither_lose_nor_repeat_a_commit(self, adapter: Any) -> None:
        async def writer(number: int) -> list[int]:
            async with adapter.lossy(f"writer-{number}") as connection:
                return await write(connection.log, number, 8, random.Random(number))

        claimed = await asyncio.gather(*[writer(number) for number in range(6)])
        async with adapter.connect("reader") as connection:
            assert await self._stored(connection.log) == sorted(seq for seqs in claimed for seq in seqs)

    async def _stored(self, log: EventLog) -> list[int]:
        records = await log.load(SUBJECT)
        assert len({record.message_id for record in records}) == len(records) == 48
        return [record.seq for record in records]

    async def test_hundreds_in_flight(self, log: EventLog) -> None:
        seqs = await asyncio.gather(
            *[log.append(s.workflow(0, f"w-{n}"), b"x", message_id=f"m{n}", expected=0) for n in range(300)]
        )
        assert sorted(seqs) == list(range(1, 301))

    async def test_a_message_above_the_limit_is_poison(self, log: EventLog) -> None:
        with pytest.raises(Poison):
            await log.append(SUBJECT, bytes(MAX_MESSAGE_BYTES + 1), message_id="big", expected=0)
        await log.append(SUBJECT, bytes(MAX_MESSAGE_BYTES), message_id="fits", expected=0)

    async def test_transient_when_the_server_is_away(self, adapter: Any, log: EventLog) -> None:
        await adapter.cut()
        with pytest.raises(Transient):
            await log.append(SUBJECT, b"a", message_id="a", expected=0)


async def write(log: EventLog, writer: int, commits: int, rng: random.Random) -> list[int]:
    """Load, decide, append; again from the start when someone else was first; the same call again when the outcome is unknown."""
    claimed: list[int] = []
    while len(claimed) < commits:
        records = await log.load(SUBJECT)
        expected = records[-1].seq if records else 0
        message_id = f"{writer}-{len(claimed)}-{rng.getrandbits(32)}"
        while True:
            try:
                claimed.append(await log.append(SUBJECT, b"x", message_id=message_id, expected=expected))
            except Transient:
                continue
            except Stale:
                pass
            break
    return claimed


class TestPublish:
    async def test_a_repeated_id_is_stored_once(self, log: EventLog) -> None:
        subject = s.cluster("b", "node", "n")
        first = await log.publish(subject, b"a", message_id="a")
        assert await log.publish(subject, b"a", message_id="a") == first
        assert await log.publish(subject, b"b", message_id="b") == first + 1

    async def test_a_stream_at_its_limit_refuses_and_keeps_what_it_has(self, log: EventLog) -> None:
        for n in range(3):
            await log.publish("small.a", b"%d" % n, message_id=f"m{n}")
        with pytest.raises(Transient):
            await log.publish("small.a", b"3", message_id="m3")
        assert [record.data for record in await log.load("small.a")] == [b"0", b"1", b"2"]

    async def test_a_stream_of_latest_values_keeps_one_of_each(self, log: EventLog) -> None:
        for n in range(3):
            await log.publish(s.name_counter("job"), b"%d" % n, message_id=f"m{n}")
        assert [record.data for record in await log.load(s.name_counter("job"))] == [b"2"]


class TestLoad:
    async def test_every_message_of_the_subject_oldest_first(self, log: EventLog) -> None:
        for n in range(30):
            await log.publish(SUBJECT, b"%d" % n, message_id=f"m{n}")
            await log.publish("osmo.workflow.0.other", b"x", message_id=f"o{n}")
        records = await log.load(SUBJECT)
        assert [record.data for record in records] == [b"%d" % n for n in range(30)]
        assert [record.seq for record in records] == list(range(1, 60, 2))
        assert records[3] == Recorded(s.WORKFLOWS, SUBJECT, 7, b"3", "m3")
        assert await log.load(SUBJECT, after=records[-3].seq) == records[-2:]
        assert await log.load(SUBJECT, after=records[-1].seq) == []

    async def test_load_gives_no_more_than_asked_for(self, log: EventLog) -> None:
        for number in range(12):
            await log.publish(SUBJECT, b"%d" % number, message_id=str(number))
        whole = await log.load(SUBJECT)
        for limit in (0, 1, 8, 9, 11, 12, 13):
            assert await log.load(SUBJECT, limit=limit) == whole[:limit]
        assert await log.load(SUBJECT, after=whole[2].seq, limit=9) == whole[3:12]

    async def test_records_tell_when_the_server_stored_them(self, log: EventLog) -> None:
        before = time.time()
        await log.publish(SUBJECT, b"a", message_id="a")
        last, (loaded,) = await log.last(s.WORKFLOWS, SUBJECT), await log.load(SUBJECT)
        followed: list[Recorded] = []
        async with aclosing(log.follow(s.WORKFLOWS, [SUBJECT], After())) as batches:
            async for batch in batches:
                followed += batch
                break
        assert last is not None
        for record in (last, loaded, followed[0]):
            assert before - 0.01 <= record.at_s <= time.time() + 0.01
            assert record.at_s == pytest.approx(last.at_s, abs=1e-5)

    async def test_many_messages_of_a_work_queue_can_be_looked_at(self, log: EventLog) -> None:
        for number in range(40):
            await log.publish(s.command("b"), str(number).encode(), message_id=str(number))
        assert [record.data for record in await log.load(s.command("b"))] == [str(n).encode() for n in range(40)]

    async def test_an_aggregate_that_does_not_exist_is_empty(self, log: EventLog) -> None:
        assert await log.load(SUBJECT) == []
        assert await log.last(s.WORKFLOWS, SUBJECT) is None
        assert await log.last_seq(s.WORKFLOWS) == 0

    async def test_last_takes_wildcards(self, log: EventLog) -> None:
        await log.publish(s.workflow(1, "a"), b"1", message_id="1")
        await log.publish(s.workflow(2, "a"), b"2", message_id="2")
        await log.publish(s.workflow(1, "b"), b"3", message_id="3")
        found = await log.last(s.WORKFLOWS, s.workflow_any_shard("a"))
        assert found == Recorded(s.WORKFLOWS, s.workflow(2, "a"), 2, b"2", "2")
        newest = await log.last(s.WORKFLOWS, "osmo.workflow.>")
        assert newest is not None
        assert newest.seq == await log.last_seq(s.WORKFLOWS) == 3

    async def test_empty_bytes_are_bytes(self, log: EventLog) -> None:
        await log.publish(SUBJECT, b"", message_id="1")
        assert [record.data for record in await log.load(SUBJECT)] == [b""]
        assert [record.data for record in await read(log, s.WORKFLOWS, [], After(), 1)] == [b""]

    async def test_a_purged_subject_is_empty_and_others_stay(self, log: EventLog) -> None:
        await log.publish(SUBJECT, b"a", message_id="a")
        await log.publish("osmo.workflow.0.other", b"b", message_id="b")
        await log.purge(s.WORKFLOWS, SUBJECT)
        assert await log.load(SUBJECT) == []
        assert len(await log.load("osmo.workflow.0.other")) == 1


class TestFollow:
    async def fill(self, log: EventLog, count: int) -> None:
        await asyncio.gather(
            *[log.publish(s.workflow(n % 2, f"w-{n % 7}"), b"%d" % n, message_id=f"m{n}") for n in range(count)]
        )

    async def test_the_whole_stream_in_order_in_batches(self, log: EventLog) -> None:
        await self.fill(log, 3000)
        records = await read(log, s.WORKFLOWS, ["osmo.workflow.>"], After(), 3000, batch=100)
        assert [record.seq for record in records] == list(range(1, 3001))

    async def test_only_what_matches(self, log: EventLog) -> None:
        await self.fill(log, 4200)
        everything = await read(log, s.WORKFLOWS, [], After(), 4200)
        half = [record for record in everything if record.subject.startswith("osmo.workflow.1.")]
        few = [record for record in everything if record.subject.endswith(".w-1")]
        for patterns, wanted in ((["osmo.workflow.1.>"], half), (["osmo.workflow.*.w-1"], few)):
            assert await read(log, s.WORKFLOWS, patterns, After(), len(wanted)) == wanted

    async def test_behind_a_position(self, log: EventLog) -> None:
        await self.fill(log, 20)
        assert [r.seq for r in await read(log, s.WORKFLOWS, [], After(15), 5)] == [16, 17, 18, 19, 20]

    async def test_the_last_of_every_subject_then_everything_new(self, log: EventLog) -> None:
        for n in range(12):
            await log.publish(s.config("pool", f"p{n % 3}"), b"%d" % n, message_id=f"m{n}")
        found: list[bytes] = []
        task = asyncio.create_task(self.collect(log, s.CONFIG, LastPerSubject(), found))
        await until(lambda: len(found) == 3)
        await log.publish(s.config("pool", "p0"), b"new", message_id="new")
        await log.publish(s.config("pool", "p0"), b"newer", message_id="newer")
        await until(lambda: len(found) == 5)
        task.cancel()
        assert found == [b"9", b"10", b"11", b"new", b"newer"]

    async def test_the_last_of_every_subject_of_an_empty_stream(self, log: EventLog) -> None:
        found: list[bytes] = []
        task = asyncio.create_task(self.collect(log, s.CONFIG, LastPerSubject(), found))
        await log.publish(s.config("pool", "p"), b"a", message_id="a")
        await until(lambda: found == [b"a"])
        task.cancel()

    async def test_only_new(self, log: EventLog) -> None:
        await log.publish(s.config("pool", "p"), b"old", message_id="old")
        found: list[bytes] = []
        task = asyncio.create_task(self.collect(log, s.CONFIG, OnlyNew(), found))

        async def publish_until_seen() -> None:
            for n in range(1000):
                await log.publish(s.config("pool", "p"), b"new", message_id=f"new{n}")
                if found:
                    return
                await asyncio.sleep(0.005)

        await publish_until_seen()
        await until(lambda: bool(found))
        task.cancel()
        assert set(found) == {b"new"}

    async def collect(self, log: EventLog, stream: str, start: Start, into: list[bytes]) -> None:
        async for records in log.follow(stream, [], start):
            into += [record.data for record in records]

    async def test_no_gap_and_no_repeat_over_interruptions(self, adapter: Any, log: EventLog) -> None:
        seen: list[int] = []

        async def reader() -> None:
            async for records in log.follow(s.WORKFLOWS, ["osmo.workflow.0.>"], After()):
                seen.extend(record.seq for record in records)

        async def writer() -> None:
            for n in range(600):
                await persist(log, s.workflow(0, f"w-{n % 5}"), f"m{n}")
                await asyncio.sleep(0.002)

        async def harm() -> None:
            for _ in range(2):
                await asyncio.sleep(0.4)
                await adapter.interrupt()

        following = asyncio.create_task(reader())
        await asyncio.gather(writer(), harm())
        last = await log.last_seq(s.WORKFLOWS)
        await until(lambda: bool(seen) and seen[-1] == last)
        following.cancel()
        assert seen == list(range(1, last + 1))
        assert last == 600

    async def test_it_heals_within_seconds_of_an_interruption(self, adapter: Any, log: EventLog) -> None:
        found: list[bytes] = []
        task = asyncio.create_task(self.collect(log, s.WORKFLOWS, After(), found))
        await persist(log, SUBJECT, "before")
        await until(lambda: len(found) == 1)
        await adapter.interrupt()
        started = time.monotonic()
        await persist(log, SUBJECT, "after")
        await until(lambda: len(found) == 2)
        task.cancel()
        assert time.monotonic() - started < 3

    async def test_a_message_is_seen_soon(self, log: EventLog) -> None:
        seen_at: dict[bytes, float] = {}

        async def reader() -> None:
            async for records in log.follow(s.WORKFLOWS, [], After()):
                seen_at.update({record.data: time.monotonic() for record in records})

        task = asyncio.create_task(reader())
        await log.publish(SUBJECT, b"warm", message_id="warm")
        await until(lambda: b"warm" in seen_at)
        delays = []
        for n in range(50):
            data = b"%d" % n
            started = time.monotonic()
            await log.publish(SUBJECT, data, message_id=f"m{n}")
            await until(lambda data=data: data in seen_at)  # type: ignore[misc]
            delays.append(seen_at[data] - started)
        task.cancel()
        assert sorted(delays)[len(delays) // 2] < 0.02

    async def test_closing_frees_the_server(self, nats: Any) -> None:
        async with nats.connect("test") as connection:
            await connection.log.publish(SUBJECT, b"a", message_id="a")
            await read(connection.log, s.WORKFLOWS, [], After(), 1)
            task = asyncio.create_task(self.collect(connection.log, s.WORKFLOWS, After(), []))
            info = connection.link.js.consumers_info
            async with asyncio.timeout(5):
                while len(await info(s.WORKFLOWS)) != 1:
                    await asyncio.sleep(0.01)
                task.cancel()
                while await info(s.WORKFLOWS):
                    await asyncio.sleep(0.01)

    async def test_a_slow_reader_holds_up_neither_the_connection_nor_other_readers(self, log: EventLog) -> None:
        payload = bytes(10_000)
        for n in range(0, 3000, 100):
            await asyncio.gather(*[log.publish(SUBJECT, payload, message_id=f"m{m}") for m in range(n, n + 100)])
        slow = log.follow(s.WORKFLOWS, [], After(), batch=10)
        first = await anext(slow)
        assert len(await read(log, s.WORKFLOWS, [], After(), 3000)) == 3000
        seen = len(first)
        async for records in slow:
            seen += len(records)
            if seen == 3000:
                break
        await slow.aclose()


async def persist(log: EventLog, subject: str, message_id: str) -> None:
    """Publish until it is known to be stored."""
    while True:
        try:
            await log.publish(subject, message_id.encode(), message_id=message_id)
        except Transient:
            continue
        return


class TestWorkQueue:
    @pytest.fixture
    async def queue(self, log: EventLog) -> AsyncIterator[Any]:
        await log.ensure_consumer(s.COMMANDS, "agent-b", [s.command("b")], ack_wait_s=0.5)
        async with log.consume(s.COMMANDS, "agent-b") as queue:
            yield queue

    async def send(self, log: EventLog, count: int, *, first: int = 0) -> None:
        for n in range(first, first + count):
            await log.publish(s.command("b"), b"%d" % n, message_id=f"c{n}")

    async def test_in_order_and_gone_when_acknowledged(self, log: EventLog, queue: Any) -> None:
        await self.send(log, 20)
        await log.publish(s.command("other"), b"not ours", message_id="x")
        taken = [*await queue.fetch(8, wait_s=1), *await queue.fetch(50, wait_s=1)]
        assert [delivery.record.data for delivery in taken] == [b"%d" % n for n in range(20)]
        for delivery in taken:
            await delivery.ack()
        assert await queue.fetch(10, wait_s=0.7) == []
        assert await log.load(s.command("b")) == []

    async def test_idle_is_empty_after_the_wait_and_not_before(self, queue: Any) -> None:
        started = time.monotonic()
        assert await queue.fetch(10, wait_s=0.2) == []
        assert 0.15 < time.monotonic() - started < 2

    async def test_fetch_returns_with_what_is_there_and_does_not_wait_for_more(self, log: EventLog, queue: Any) -> None:
        fetching = asyncio.create_task(queue.fetch(100, wait_s=10))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await self.send(log, 1)
        assert len(await fetching) == 1
        assert time.monotonic() - started < 0.4

    async def test_what_is_not_acknowledged_comes_again(self, log: EventLog, queue: Any) -> None:
        await self.send(log, 2)
        first, second = await queue.fetch(2, wait_s=1)
        await second.ack()
        again = await queue.fetch(2, wait_s=3)
        assert [delivery.record.data for delivery in again] == [b"0"]
        assert again[0].record.seq == first.record.seq

    async def test_nak_gives_back_after_the_delay(self, log: EventLog, queue: Any) -> None:
        await self.send(log, 1)
        (delivery,) = await queue.fetch(1, wait_s=1)
        started = time.monotonic()
        await delivery.nak(0.15)
        (again,) = await queue.fetch(1, wait_s=3)
        assert 0.1 < time.monotonic() - started < 0.45
        await again.ack()

    async def test_working_puts_off_redelivery(self, log: EventLog, queue: Any) -> None:
        await self.send(log, 1)
        (delivery,) = await queue.fetch(1, wait_s=1)
        for _ in range(4):
            await asyncio.sleep(0.2)
            await delivery.working()
        assert await queue.fetch(1, wait_s=0.2) == []
        await delivery.ack()

    async def test_a_cancelled_fetch_loses_nothing(self, log: EventLog, queue: Any) -> None:
        got: set[bytes] = set()

        async def cancelled_fetches() -> None:
            for n in range(40):
                fetching = asyncio.create_task(queue.fetch(3, wait_s=1))
                await asyncio.sleep(0.001 * (n % 5))
                fetching.cancel()
                for outcome in await asyncio.gather(fetching, return_exceptions=True):
                    if not isinstance(outcome, BaseException):
                        for delivery in outcome:
                            got.add(delivery.record.data)
                            await delivery.ack()

        await asyncio.gather(self.send(log, 40), cancelled_fetches())
        async with asyncio.timeout(10):
            while len(got) < 40:
                for delivery in await queue.fetch(10, wait_s=1):
                    got.add(delivery.record.data)
                    await delivery.ack()

    async def test_two_fetchers_share_the_work(self, log: EventLog, queue: Any) -> None:
        await self.send(log, 30)
        async with log.consume(s.COMMANDS, "agent-b") as other:
            taken = [*await queue.fetch(10, wait_s=1), *await other.fetch(20, wait_s=1)]
            assert len({delivery.record.seq for delivery in taken}) == 30
            for delivery in taken:
                await delivery.ack()

    async def test_it_goes_on_after_an_interruption(self, adapter: Any, log: EventLog, queue: Any) -> None:
        fetching = asyncio.create_task(self.one(queue))
        await asyncio.sleep(0.05)
        await adapter.interrupt()
        await persist(log, s.command("b"), "after")
        async with asyncio.timeout(8):
            delivery = await fetching
        assert delivery.record.data == b"after"
        await delivery.ack()

    async def one(self, queue: Any) -> Any:
        while True:
            try:
                for delivery in await queue.fetch(1, wait_s=1):
                    return delivery
            except Transient as error:
                await asyncio.sleep(min(error.delay_s, 0.1))

    async def test_ensuring_again_changes_the_ack_wait(self, log: EventLog, queue: Any) -> None:
        await log.ensure_consumer(s.COMMANDS, "agent-b", [s.command("b")], ack_wait_s=30)
        await self.send(log, 1)
        (delivery,) = await queue.fetch(1, wait_s=1)
        assert await queue.fetch(1, wait_s=0.8) == []
        await delivery.ack()

    async def test_a_consumer_that_somebody_deleted_is_made_again(self, nats: Any) -> None:
        async with nats.connect("test") as connection:
            log = connection.log
            await log.ensure_consumer(s.COMMANDS, "agent-b", [s.command("b")])
            async with log.consume(s.COMMANDS, "agent-b") as queue:
                await connection.link.js.delete_consumer(s.COMMANDS, "agent-b")
                await log.publish(s.command("b"), b"x", message_id="x")
                assert (await self.one(queue)).record.data == b"x"

    async def test_a_consumer_that_nobody_made_is_transient_and_not_a_busy_loop(self, log: EventLog) -> None:
        started = time.monotonic()

        async def fetch() -> None:
            async with log.consume(s.COMMANDS, "nobody") as queue:
                for _ in range(3):
                    await queue.fetch(1, wait_s=0.1)

        with pytest.raises(Transient):
            await fetch()
        assert time.monotonic() - started < 5


class TestBlobs:
    @pytest.mark.parametrize("size", [0, 10, 512 * 1024, 3_000_001])
    async def test_bytes_come_back_under_their_digest(self, connection: Connection, size: int) -> None:
        data = random.Random(size).randbytes(size)
        digest = await connection.blobs.put(data)
        assert await connection.blobs.put(data) == digest
        assert await connection.blobs.get(digest) == data

    async def test_a_digest_that_was_never_put_is_a_key_error(self, connection: Connection) -> None:
        with pytest.raises(KeyError):
            await connection.blobs.get("0" * 64)


class TestSnapshots:
    async def test_the_newest_wins(self, connection: Connection) -> None:
        assert await connection.snapshots.get("shard/0") is None
        for size in (10, 2_000_000, 5):
            data = random.Random(size).randbytes(size)
            await connection.snapshots.put("shard/0", data)
            assert await connection.snapshots.get("shard/0") == data
        assert await connection.snapshots.get("shard/1") is None


class TestLeases:
    async def test_one_holder_at_a_time(self, connection: Connection) -> None:
        mine = await connection.leases.acquire("shard-0", "me", ttl_s=30)
        assert mine is not None
        assert await connection.leases.acquire("shard-0", "you", ttl_s=30) is None
        assert await connection.leases.renew(mine, ttl_s=30)
        assert await connection.leases.acquire("shard-0", "me", ttl_s=30) == mine
        assert await connection.leases.acquire("shard-1", "you", ttl_s=30) is not None

    async def test_a_takeover_after_expiry_has_a_higher_epoch_and_the_loser_knows(self, connection: Connection) -> None:
        mine = await connection.leases.acquire("shard-0", "me", ttl_s=1)
        assert mine is not None
        yours = None
        async with asyncio.timeout(10):
            while yours is None:
                yours = await connection.leases.acquire("shard-0", "you", ttl_s=30)
                await asyncio.sleep(0.02)
        assert yours.epoch > mine.epoch
        assert not await connection.leases.renew(mine, ttl_s=30)
        await connection.leases.release(mine)
        assert await connection.leases.renew(yours, ttl_s=30)

    async def test_renewing_puts_off_expiry(self, connection: Connection) -> None:
        mine = await connection.leases.acquire("shard-0", "me", ttl_s=1)
        assert mine is not None
        for _ in range(8):
            await asyncio.sleep(0.25)
            assert await connection.leases.renew(mine, ttl_s=1)
        assert await connection.leases.acquire("shard-0", "you", ttl_s=1) is None

    async def test_a_released_lease_is_free_at_once(self, connection: Connection) -> None:
        mine = await connection.leases.acquire("shard-0", "me", ttl_s=30)
        assert mine is not None
        await connection.leases.release(mine)
        assert not await connection.leases.renew(mine, ttl_s=30)
        yours = await connection.leases.acquire("shard-0", "you", ttl_s=30)
        assert yours is not None
        assert yours.epoch > mine.epoch

    async def test_of_many_that_ask_at_once_one_gets_it(self, connection: Connection) -> None:
        asked = await asyncio.gather(*[connection.leases.acquire("shard-0", f"h{n}", ttl_s=30) for n in range(10)])
        assert sum(lease is not None for lease in asked) == 1


class TestRequests:
    SUBJECT = "osmo.rpc.echo"

    @staticmethod
    async def echo(data: bytes) -> bytes:
        if data == b"bad":
            raise ValueError("no")
        return data.upper()

    async def test_question_and_answer(self, connection: Connection) -> None:
        async with connection.requests.serve("echo", self.SUBJECT, self.echo):
            assert await connection.requests.ask(self.SUBJECT, b"a", timeout_s=2) == b"A"
            assert await connection.requests.ask(self.SUBJECT, b"", timeout_s=2) == b""

    async def test_a_pattern_is_served_and_the_subject_is_told(self, connection: Connection) -> None:
        async def whose(subject: str, data: bytes) -> bytes:
            return subject.rpartition(".")[2].encode() + data

        async with connection.requests.serve_each("each", "osmo.rpc.each.*", whose):
            assert await connection.requests.ask("osmo.rpc.each.one", b"!", timeout_s=2) == b"one!"
            assert await connection.requests.ask("osmo.rpc.each.two", b"?", timeout_s=2) == b"two?"
            with pytest.raises(Transient):
                await connection.requests.ask("osmo.rpc.each", b"", timeout_s=0.3)
        with pytest.raises(Transient):
            await connection.requests.ask("osmo.rpc.each.one", b"!", timeout_s=0.3)

    async def test_nobody_serves(self, connection: Connection) -> None:
        started = time.monotonic()
        with pytest.raises(Transient):
            await connection.requests.ask(self.SUBJECT, b"a", timeout_s=5)
        async with connection.requests.serve("echo", self.SUBJECT, self.echo):
            pass
        with pytest.raises(Transient):
            await connection.requests.ask(self.SUBJECT, b"a", timeout_s=5)
        assert time.monotonic() - started < 2

    async def test_a_handler_that_raises_is_transient_at_once_and_the_service_goes_on(
        self, connection: Connection
    ) -> None:
        async with connection.requests.serve("echo", self.SUBJECT, self.echo):
            started = time.monotonic()
            with pytest.raises(Transient):
                await connection.requests.ask(self.SUBJECT, b"bad", timeout_s=5)
            assert time.monotonic() - started < 2
            assert await connection.requests.ask(self.SUBJECT, b"a", timeout_s=2) == b"A"

    async def test_no_answer_in_time_is_transient(self, connection: Connection) -> None:
        release = asyncio.Event()

        async def stuck(data: bytes) -> bytes:
            await release.wait()
            return data

        async with connection.requests.serve("stuck", self.SUBJECT, stuck):
            with pytest.raises(Transient):
                await connection.requests.ask(self.SUBJECT, b"a", timeout_s=0.1)
            release.set()

    async def test_no_more_at_once_than_said(self, connection: Connection) -> None:
        now, most = 0, 0

        async def busy(data: bytes) -> bytes:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.01)
            now -= 1
            return data

        async with connection.requests.serve("busy", self.SUBJECT, busy, concurrency=3):
            await asyncio.gather(*[connection.requests.ask(self.SUBJECT, b"%d" % n, timeout_s=5) for n in range(20)])
        assert most == 3

    async def test_on_leaving_questions_under_way_are_finished(self, connection: Connection) -> None:
        started = asyncio.Event()

        async def slow(data: bytes) -> bytes:
            started.set()
            await asyncio.sleep(0.1)
            return b"done"

        async with connection.requests.serve("slow", self.SUBJECT, slow):
            asking = asyncio.create_task(connection.requests.ask(self.SUBJECT, b"a", timeout_s=5))
            await started.wait()
        assert await asking == b"done"

    async def test_replicas_share_the_questions(self, adapter: Any, connection: Connection) -> None:
        answered: set[bytes] = set()

        def replica(name: bytes) -> Callable[[bytes], Any]:
            async def answer(data: bytes) -> bytes:
                return name

            return answer

        async with (
            adapter.connect("other") as other,
            connection.requests.serve("who", self.SUBJECT, replica(b"one")),
            other.requests.serve("who", self.SUBJECT, replica(b"two")),
        ):
            for _ in range(60):
                answered.add(await connection.requests.ask(self.SUBJECT, b"", timeout_s=2))
        assert answered == {b"one", b"two"}

    async def test_services_can_be_found(self, nats: Any) -> None:
        async with nats.connect("test") as connection:
            async with connection.requests.serve("echo", self.SUBJECT, self.echo):
                found = await connection.link.client.request("$SRV.INFO.echo", b"", timeout=2)
            assert self.SUBJECT.encode() in found.data


class TestConnection:
    async def test_watch_returns_never_and_raises_when_the_connection_is_gone(self, nats: Any) -> None:
        async with nats.connect("test") as connection:
            watching = asyncio.create_task(connection.watch())
            await asyncio.sleep(0)
            assert not watching.done()
            await connection.link.client.close()
            with pytest.raises(RuntimeError):
                await asyncio.wait_for(watching, 5)

    async def test_connecting_waits_for_the_server_to_come_up(self, nats: Any) -> None:
        await nats.cut()

        async def ask() -> int:
            async with nats.connect("early") as connection:
                return int(await connection.log.last_seq(s.WORKFLOWS))

        asking = asyncio.create_task(ask())
        await asyncio.sleep(0.3)
        assert not asking.done()
        nats.server.start()
        assert await asyncio.wait_for(asking, 10) == 0

    async def test_streams_may_be_applied_again(self, nats: Any) -> None:
        async with nats.connect("test") as connection:
            await connection.log.publish(SUBJECT, b"a", message_id="a")
        await asyncio.gather(nats.prepare(), nats.prepare())
        async with nats.connect("test") as connection:
            assert len(await connection.log.load(SUBJECT)) == 1

    async def test_the_memory_twin_tells_a_crashed_client(self) -> None:
        server = adapters.MemoryAdapter()
        async with server.connect("test") as connection:
            watching = asyncio.create_task(connection.watch())
            await asyncio.sleep(0)
            connection.crash()
            with pytest.raises(RuntimeError):
                await asyncio.wait_for(watching, 5)
