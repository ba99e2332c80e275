"""What the agent of one backend can do at a real nats-server, and everything else that it tries."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from tests.servers import NatsServer, running_nats

from osmo_domain.cluster import BackendRegistered, ClusterFact, Heartbeat
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.errors import Rejected, Stale, Transient
from osmo_eventlog import subjects as s
from osmo_eventlog import window as w
from osmo_eventlog.agent_rights import inbox_prefix, rights_of
from osmo_eventlog.nats import AgentLogin, NatsConnection, apply_streams, connect
from osmo_eventlog.nats.accounts import accounts_config
from osmo_eventlog.nats.callout import Caller, Issuer, new_issuer_seed, read_caller
from osmo_eventlog.ports import After, Connection, LastPerSubject
from osmo_eventlog.window import Window
from osmo_eventlog.windowed import WindowedConnection, WindowPane

T0 = datetime(2026, 11, 20, tzinfo=UTC)
NAMES = ("WORKFLOWS", "REPORTS", "CLUSTERS", "COMMANDS", "LOGS", "CONFIG", "NAMES", "BLOBS", "LEASES", "SNAPSHOTS")


@dataclass
class House:
    """A server with two backends, `a` and `b`. `tokens` are good; logins last for `login_s`."""

    server: NatsServer
    issuer: Issuer
    service: NatsConnection
    directory: Path
    tokens: dict[str, str] = field(default_factory=lambda: {"token-a": "a", "token-b": "b"})
    login_s: float = 3600
    seen: list[Caller] = field(default_factory=list)

    async def door(self, data: bytes) -> bytes:
        caller, now = read_caller(data), datetime.now(UTC)
        self.seen.append(caller)
        backend = self.tokens.get(caller.token)
        if backend is None:
            return self.issuer.turn_away(caller, "no such token", now=now)
        until = now + timedelta(seconds=self.login_s)
        return self.issuer.let_in(caller, name=f"{backend}/1", rights=rights_of(backend), now=now, until=until)

    @contextlib.asynccontextmanager
    async def agent(self, backend: str) -> AsyncIterator[tuple[Connection, NatsConnection]]:
        """The connection as an agent has it, and what is below it."""
        token_file = self.directory / backend
        if not token_file.exists():
            token_file.write_text(f"token-{backend}")
        options = AgentLogin(backend, token_file).options()
        async with connect(self.server.url, name=f"agent-{backend}", rng=random.Random(2), options=options) as direct:
            yield WindowedConnection(direct, backend), direct

    @contextlib.asynccontextmanager
    async def intruder(self) -> AsyncIterator[tuple[Client, list[str]]]:
        """A client with the rights of agent `a` and no manners; what the server said about it, in lower case."""
        said: list[str] = []

        async def on_error(error: Exception) -> None:
            said.append(str(error).lower())

        prefix = inbox_prefix("a")
        client = await nats.connect(self.server.url, token="token-a", inbox_prefix=prefix, error_cb=on_error)
        try:
            yield client, said
        finally:
            await client.close()

    async def stored(self) -> dict[str, int]:
        return {name: (await self.service.link.js.stream_info(name)).state.last_seq for name in NAMES}


@pytest.fixture
def secured() -> Iterator[tuple[NatsServer, Issuer]]:
    issuer = Issuer(new_issuer_seed())
    with running_nats(accounts_config(service_password="p-w", issuer=issuer.public)) as server:
        yield server, issuer


async def allow(_: str, fact: BackendRegistered) -> None:
    if fact.version == "0":
        raise Rejected("backend.version", "too old")


@pytest.fixture
async def house(secured: tuple[NatsServer, Issuer], tmp_path: Path) -> AsyncIterator[House]:
    server, issuer = secured
    url = server.url.replace("//", "//osmo:p-w@")
    async with connect(url, name="service", rng=random.Random(1)) as service:
        await apply_streams(service)
        one = House(server, issuer, service, tmp_path)
        window = Window(service.log, service.snapshots, service.blobs, allow)
        async with (
            service.requests.serve("door", s.AUTH_QUESTIONS, one.door),
            service.requests.serve_each("window", s.agent_window("*"), window.answer),
        ):
            yield one


FORBIDDEN_TO_SEND = [
    "osmo.cluster.b.pods._",
    "osmo.cluster.b.node.n1",
    "osmo.cluster.a.registered._",
    "osmo.cluster.a.removed._",
    "osmo.command.a",
    "osmo.command.b",
    "osmo.workflow.0.w-1",
    "osmo.report.0.w-1.t",
    "osmo.log.w-1.t.0",
    "osmo.config.pool.p",
    "osmo.config.backend_token.a",
    "osmo.name.w",
    "osmo.blob.0.0",
    "osmo.lease.scheduler-0",
    "osmo.snapshot.scheduler-0",
    "osmo.snapshot.agent=2e=a=2e=epoch",
    "osmo.rpc.submit",
    "osmo.rpc.data",
    "osmo.rpc.scheduler.0",
    "osmo.rpc.agent.b",
    "osmo.rpc.window.b",
    "$JS.API.INFO",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.STREAM.UPDATE.COMMANDS",
    "$JS.API.STREAM.INFO.COMMANDS",
    "$JS.API.STREAM.DELETE.COMMANDS",
    "$JS.API.STREAM.PURGE.COMMANDS",
    "$JS.API.STREAM.SNAPSHOT.COMMANDS",
    "$JS.API.STREAM.MSG.GET.COMMANDS",
    "$JS.API.STREAM.MSG.GET.CONFIG",
    "$JS.API.STREAM.MSG.DELETE.COMMANDS",
    "$JS.API.DIRECT.GET.COMMANDS",
    "$JS.API.DIRECT.GET.CLUSTERS.osmo.cluster.a.pods._",
    "$JS.API.CONSUMER.LIST.COMMANDS",
    "$JS.API.CONSUMER.NAMES.COMMANDS",
    "$JS.API.CONSUMER.INFO.COMMANDS.agent-a",
    "$JS.API.CONSUMER.CREATE.COMMANDS",
    "$JS.API.CONSUMER.CREATE.COMMANDS.agent-a",
    "$JS.API.CONSUMER.CREATE.COMMANDS.agent-a.osmo.command.a",
    "$JS.API.CONSUMER.CREATE.COMMANDS.agent-a.osmo.command.b",
    "$JS.API.CONSUMER.CREATE.CLUSTERS.spy.osmo.cluster.b.>",
    "$JS.API.CONSUMER.DURABLE.CREATE.COMMANDS.agent-a",
    "$JS.API.CONSUMER.DELETE.COMMANDS.agent-a",
    "$JS.API.CONSUMER.DELETE.COMMANDS.agent-b",
    "$JS.API.CONSUMER.PAUSE.COMMANDS.agent-b",
    "$JS.API.CONSUMER.MSG.NEXT.COMMANDS.agent-b",
    "$JS.API.CONSUMER.MSG.NEXT.COMMANDS.agent-",
    "$JS.API.CONSUMER.MSG.NEXT.CLUSTERS.agent-a",
    "$JS.ACK.COMMANDS.agent-b.1.1.1.1.1",
    "$JS.ACK.CLUSTERS.agent-a.1.1.1.1.1",
    "$JS.FC.COMMANDS.agent-b.x",
    "$SYS.REQ.USER.AUTH",
    "$SYS.REQ.SERVER.PING.CONNZ",
    "$SYS.REQ.SERVER.X.KICK",
    "$SRV.PING",
    "$KV.x.y",
    "_INBOX.agent-b.x",
    "_INBOX.x",
    "_R_.x",
    "anything",
]  # fmt: skip

FORBIDDEN_TO_HEAR = [
    ">", "*", "osmo.>", "osmo.command.a", "osmo.command.b", "osmo.cluster.>", "osmo.cluster.b.>", "osmo.workflow.>", "osmo.config.>",
    "osmo.rpc.agent.a", "osmo.rpc.window.a", "osmo.rpc.window.*", "osmo.rpc.ctrl.>", "$JS.>", "$JS.EVENT.ADVISORY.>",
    "$JS.API.CONSUMER.MSG.NEXT.COMMANDS.*", "$JS.ACK.>", "$SYS.>", "$SRV.>", "_INBOX.>", "_INBOX.*", "_INBOX.agent-b.>", "_INBOX.*.*", "_R_.>",
]  # fmt: skip


async def test_everything_that_is_not_its_own_is_refused_by_the_server(house: House) -> None:
    await house.service.log.ensure_consumer(s.COMMANDS, "agent-b", [s.command("b")])
    await house.service.log.ensure_consumer(s.COMMANDS, "agent-a", [s.command("a")])
    await house.service.log.publish(s.command("b"), b"for b", message_id="1")
    before = await house.stored()
    async with house.intruder() as (client, said):
        heard: list[Any] = []

        async def hear(message: Any) -> None:
            heard.append(message)

        for subject in FORBIDDEN_TO_SEND:
            said.clear()
            await client.publish(subject, b'{"batch":1}', reply=client.new_inbox())
            await until(lambda: said)
            assert any(subject.lower() in each and "permissions violation for publish" in each for each in said), (
                subject
            )
        for subject in FORBIDDEN_TO_HEAR:
            said.clear()
            await client.subscribe(subject, cb=hear)
            await until(lambda: said)
            assert any("permissions violation for subscription" in each for each in said), subject
        await house.service.log.publish(s.command("b"), b"again for b", message_id="2")
        await client.flush()
        assert not heard
    after = await house.stored()
    assert after.pop("COMMANDS") == before.pop("COMMANDS") + 1
    assert after == before


async def test_an_answer_goes_nowhere_but_to_the_agents_own_inbox(house: House) -> None:
    """Whoever may ask names the place for the answer: with two accounts no such place is a stream, a service or another agent."""
    await house.service.log.ensure_consumer(s.COMMANDS, "agent-a", [s.command("a")])
    for number in range(100):
        await house.service.log.publish(s.command("a"), b"%d" % number, message_id=str(number))
    asked: list[bytes] = []

    async def submit(data: bytes) -> bytes:
        asked.append(data)
        return b""

    async def echo(_: str, data: bytes) -> bytes:
        return data

    own = {
        "osmo.cluster.a.pods._": b"a fact",
        s.agent_questions("a"): b"bytes that the agent chose",
        s.agent_window("a"): w.ENCODER.encode(w.Newest("COMMANDS")),
        "$JS.API.CONSUMER.MSG.NEXT.COMMANDS.agent-a": b'{"batch":1,"no_wait":true}',
    }
    places = ["osmo.command.b", "osmo.cluster.b.pods._", "osmo.config.pool.p", "osmo.workflow.0.w-1", "osmo.rpc.submit", "osmo.rpc.window.b",
              "$JS.API.STREAM.PURGE.COMMANDS", "$JS.ACK.COMMANDS.agent-b.1.1.1.1.1", "osmo.blob.0.0"]  # fmt: skip
    async with (
        house.service.requests.serve_each("agent-questions", s.agent_questions("*"), echo),
        house.service.requests.serve("submit", s.FRONT_DOOR, submit),
        house.intruder() as (client, said),
    ):
        before = await house.stored()
        for subject, body in own.items():
            for place in places:
                await client.publish(subject, body, reply=place)
                await client.flush()
        # Whatever had gone somewhere else would be there before this: the same connection, the same server.
        await client.request("osmo.cluster.a.pods._", b"the last", timeout=2)
        assert await house.service.requests.ask(s.FRONT_DOOR, b"mine", timeout_s=2) == b""
        after = await house.stored()
    assert asked == [b"mine"]
    facts = await house.service.log.load("osmo.cluster.a.pods._")
    assert after.pop("CLUSTERS") == len(facts)  # none of them is anybody else's
    assert {record.data for record in facts} == {b"a fact", b"the last"}
    assert after == {name: before[name] for name in after}
    assert all("reply" in each for each in said), said  # the server refuses acknowledgements as places by itself


async def test_an_agent_may_do_all_that_it_needs(house: House) -> None:
    service = house.service.log
    async with house.agent("a") as (agent, _):
        log = agent.log
        # its facts, and what it told in earlier lives
        first = await log.publish(s.cluster("a", "node", "n.1"), b"old", message_id="n1")
        await log.publish(s.cluster("a", "node", "n.1"), b"new", message_id="n2")
        await log.publish(s.cluster("a", "node", "n2"), b"two", message_id="n3")
        assert first == await log.publish(s.cluster("a", "node", "n.1"), b"old", message_id="n1")
        last = await log.last(s.CLUSTERS, s.cluster("a", "node", "*"))
        assert last is not None
        assert (last.data, last.message_id) == (b"two", "n3")
        assert await log.last(s.CLUSTERS, s.cluster("a", "inventory")) is None
        follow = log.follow(s.CLUSTERS, [s.cluster("a", "node", "*")], LastPerSubject())
        assert [record.data for record in await anext(follow)] == [b"new", b"two"]
        await log.publish(s.cluster("a", "node", "n3"), b"three", message_id="n4")
        assert [record.data for record in await anext(follow)] == [b"three"]
        await follow.aclose()
        behind = log.follow(s.CLUSTERS, [s.cluster("a", "node", "n.1")], After(first))
        assert [record.data for record in await anext(behind)] == [b"new"]
        await behind.aclose()
        # its registration
        data, seq = (
            registration("a"),
            await log.append(s.cluster("a", "registered"), registration("a"), message_id="r1", expected=0),
        )
        assert seq == await log.append(s.cluster("a", "registered"), data, message_id="r1", expected=0)
        with pytest.raises(Stale):
            await log.append(s.cluster("a", "registered"), data, message_id="r2", expected=0)
        # its commands
        for number in range(700):
            await service.publish(s.command("a"), b"%d" % number, message_id=f"c{number}")
        await service.publish(s.command("b"), b"not yours", message_id="other")
        waiting = await log.load(s.command("a"))
        assert [record.data for record in waiting] == [b"%d" % number for number in range(700)]
        assert await log.load(s.command("a"), after=waiting[4].seq, limit=3) == waiting[5:8]
        assert await log.last_seq(s.COMMANDS) == 701
        await log.ensure_consumer(s.COMMANDS, "agent-a", [s.command("a")], ack_wait_s=30)
        async with log.consume(s.COMMANDS, "agent-a") as queue:
            taken: list[bytes] = []
            while len(taken) < 700:
                for delivery in await queue.fetch(128, wait_s=2):
                    await delivery.working()
                    await delivery.ack()
                    taken.append(delivery.record.data)
            assert taken == [b"%d" % number for number in range(700)]
            await service.publish(s.command("a"), b"back", message_id="back")
            (delivery,) = await queue.fetch(1, wait_s=2)
            await delivery.nak(0)
            (delivery,) = await queue.fetch(1, wait_s=2)
            await delivery.ack()
            async with asyncio.timeout(10):
                while await log.load(s.command("a")):
                    await asyncio.sleep(0.01)
            # the consumer is gone: the agent cannot see that, and has it made again
            await house.service.link.js.delete_consumer(s.COMMANDS, "agent-a")
            await service.publish(s.command("a"), b"anew", message_id="anew")
            with pytest.raises(Transient):
                await queue.fetch(1, wait_s=1)
            (delivery,) = await queue.fetch(1, wait_s=2)
            assert delivery.record.data == b"anew"
        # its snapshot, and blobs of any size
        assert await agent.snapshots.get(w.own_snapshot("a")) is None
        await agent.snapshots.put(w.own_snapshot("a"), b"7 3")
        assert await agent.snapshots.get(w.own_snapshot("a")) == b"7 3"
        for blob in (b"", b"small", random.Random(3).randbytes(w.PART_BYTES), random.Random(4).randbytes(3_000_000)):
            digest = await agent.blobs.put(blob)
            assert await agent.blobs.get(digest) == blob
            assert await house.service.blobs.get(digest) == blob
        with pytest.raises(KeyError):
            await agent.blobs.get("0" * 64)


async def test_the_window_shows_nothing_of_others(house: House) -> None:
    await house.service.log.publish(s.cluster("b", "pods"), b"of b", message_id="1")
    await house.service.log.publish(s.command("b"), b"for b", message_id="2")
    questions: list[w.Question] = [
        w.Last(s.CLUSTERS, s.cluster("b", "pods")),
        w.Last(s.CLUSTERS, "osmo.cluster.*.pods._"),
        w.Last(s.CLUSTERS, "osmo.cluster.a.>"),
        w.Last(s.CLUSTERS, ">"),
        w.Last(s.CONFIG, "osmo.config.pool.p"),
        w.Load(s.command("b")),
        w.Load("osmo.command.*"),
        w.LastOfEach(s.CLUSTERS, "osmo.cluster.b.node.*"),
        w.Newest(s.CLUSTERS),
        w.Newest(s.WORKFLOWS),
        w.KeptSnapshot("scheduler-0"),
        w.KeptSnapshot(w.own_snapshot("b")),
        w.KeepSnapshot("scheduler-0", b""),
        w.Register(registration("b"), "m", 0),
        w.Register(fact(Heartbeat(T0)), "m", 0),
    ]
    before = await house.stored()
    async with house.agent("a") as (agent, _):
        pane = WindowPane(agent.requests, "a")
        for question in questions:
            with pytest.raises(Rejected) as refused:
                await pane.ask(question)
            assert refused.value.code == "window.not_yours", question
        with pytest.raises(Rejected, match="too old"):
            await pane.ask(w.Register(registration("a", version="0"), "m", 0))
        with pytest.raises(Rejected, match="cannot be read"):
            await pane.ask(w.Register(b"no commit", "m", 0))
        with pytest.raises(Rejected):
            await agent.log.purge(s.CLUSTERS, s.cluster("a", "pods"))
    assert await house.stored() == before


async def test_who_has_no_token_that_is_good_does_not_come_in(house: House) -> None:
    for options in (
        {},
        {"token": "token-c"},
        {"token": ""},
        {"user": "osmo", "password": "x"},
        {"user": "a", "password": "token-a"},
    ):
        with pytest.raises(nats.errors.Error, match=r"(?i)authorization violation"):
            await nats.connect(house.server.url, allow_reconnect=False, **options)
    assert "token-c" not in repr(house.seen)


async def test_an_agent_that_is_sent_away_comes_back_with_another_token_and_loses_no_fact(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.agent("a") as (agent, direct):
        stored: list[int] = []
        enough = asyncio.Event()

        async def tell() -> None:
            number = 0
            while not enough.is_set():
                number += 1
                while True:
                    try:
                        await agent.log.publish(s.cluster("a", "pods"), b"%d" % number, message_id=f"f{number}")
                    except Transient:
                        continue
                    break
                stored.append(number)

        telling = asyncio.create_task(tell())
        await until(lambda: len(stored) > 50)
        # both are good for a while: the file changes, and nothing else happens
        house.tokens["token-a2"] = "a"
        (house.directory / "a").write_text("token-a2\n")
        del house.tokens["token-a"]
        assert await house.service.clients.send_away({"a/1"}) == 1
        await until(lambda: direct.link.joins == 1)
        # revoked, and for a moment there is none that is good
        del house.tokens["token-a2"]
        assert await house.service.clients.send_away({"a/1"}) == 1
        await until(lambda: not direct.connected and len(house.seen) > 4)
        so_far = len(stored)
        house.tokens["token-a3"] = "a"
        (house.directory / "a").write_text("token-a3")
        await until(lambda: len(stored) > so_far + 50)
        enough.set()
        await telling
    facts = [record.data for record in await house.service.log.load(s.cluster("a", "pods"))]
    assert facts == [b"%d" % number for number in stored]
    told = [each for each in caplog.records if "does not let this client in" in each.message]
    assert len(told) == 1
    assert "token-a" not in caplog.text


async def test_a_login_that_is_over_is_followed_by_the_next(house: House) -> None:
    house.login_s = 2
    async with house.agent("a") as (agent, direct):
        await until(lambda: direct.link.joins >= 2)
        await agent.log.publish(s.cluster("a", "pods"), b"still here", message_id="1")
        assert not direct.link.closed.is_set()


async def test_an_agent_comes_before_anybody_can_say_who_it_is(
    secured: tuple[NatsServer, Issuer], tmp_path: Path
) -> None:
    """A gateway that starts later, or answers late: the server's PING in between is not taken for its yes."""
    server, issuer = secured
    url = server.url.replace("//", "//osmo:p-w@")
    async with connect(url, name="service", rng=random.Random(1)) as service:
        await apply_streams(service)
        house = House(server, issuer, service, tmp_path)

        async def slow(data: bytes) -> bytes:
            await asyncio.sleep(2.4)
            return await house.door(data)

        async def come() -> int:
            async with house.agent("a") as (agent, _):
                return await agent.log.publish(s.cluster("a", "pods"), b"x", message_id="1")

        coming = asyncio.create_task(come())
        await asyncio.sleep(0.2)
        async with service.requests.serve("door", s.AUTH_QUESTIONS, slow):
            async with asyncio.timeout(20):
                assert await coming == 1


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def registration(backend: str, version: str = "1.0.0") -> bytes:
    return fact(BackendRegistered(backend, "uid", version, "simulated", T0))


def fact(one: ClusterFact) -> bytes:
    return encode_commit(Commit("id", T0, "agent", [one]))


def test_the_seed_is_not_shown() -> None:
    seed = new_issuer_seed()
    issuer = Issuer(seed)
    assert seed not in repr(issuer)
    assert issuer.public.startswith("A")
    with pytest.raises(ValueError, match="not the seed"):
        Issuer("SAnothing")
    assert json.dumps(issuer.public)
