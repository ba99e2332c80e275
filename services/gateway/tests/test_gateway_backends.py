"""Backends over HTTP: registered, listed, their tokens made and ended, deleted, and every refusal with its code."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import pytest
import yaml
from services.gateway.tests.gateway_house import T0, House, open_house, submitted

from osmo_domain.backend_access import ACCESS_CODEC, digest
from osmo_domain.cluster import BackendRegistered, Heartbeat, NodeFact, NodeSeen
from osmo_domain.errors import Rejected
from osmo_eventlog.agent_rights import Rights
from osmo_eventlog.subjects import CLUSTERS, cluster, command, config
from osmo_eventlog.windowed import WindowedConnection
from osmo_gateway.backends.door import AgentDoor
from osmo_gateway.backends.registrations import Registrations
from osmo_gateway.seeding import Seed, sow_tokens

ADDRESSES = {
    "nats_url": "wss://nats.example.org:443",
    "log_router_url": "https://osmo.example.org",
    "service_url": "https://osmo.example.org",
}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


async def call(house: House, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
    async with house.session.request(
        method, f"/api/backend{path}", json=body, headers={"x-osmo-user": "ann"}
    ) as answer:
        return answer.status, await answer.json(content_type=None)


async def good(house: House, method: str, path: str = "", body: Any = None) -> Any:
    status, answer = await call(house, method, path, body)
    assert status == 200, answer
    return answer


async def code(house: House, method: str, path: str, body: Any = None) -> tuple[int, str]:
    status, answer = await call(house, method, path, body)
    return status, answer["code"]


async def register(house: House, name: str = "lab", **more: Any) -> Any:
    return await good(house, "POST", f"/{name}", {**ADDRESSES, **more})


async def come(house: House, backend: str = "lab", *, uid: str = "uid-lab", release: str | None = None) -> None:
    fact = BackendRegistered(backend, uid, release or version("osmo-gateway"), "kubernetes", T0, ("window",))
    await house.see(fact, kind="registered", backend=backend)
    node = NodeFact(name="n1", at=T0, cpu=8, gpu=4, memory_bytes=1 << 30, storage_bytes=1 << 30)
    await house.see(NodeSeen(node), kind="node", name="n1", backend=backend)
    await house.see(Heartbeat(T0 - timedelta(hours=5)), kind="heartbeat", backend=backend)
    async with asyncio.timeout(5):
        while (await good(house, "GET", f"/{backend}"))["status"] != "ONLINE":
            await asyncio.sleep(0.001)


async def records(house: House, backend: str = "lab") -> list[Any]:
    found = await house.connection.log.load(config("backend_token", backend))
    return [ACCESS_CODEC.decode(record.data) for record in found]


async def test_a_registration_gives_a_token_once_and_a_file_that_installs_the_agent(house: House) -> None:
    found = await register(house, description="the lab", namespace="gpu-jobs")
    token = found["token"]
    assert token.startswith("osmo_lab_")
    objects = list(yaml.safe_load_all(found["manifest"]))
    kinds = [each["kind"] for each in objects]
    assert kinds == ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Secret", "ConfigMap",
                     "Deployment"]  # fmt: skip
    by_kind = {each["kind"]: each for each in objects}
    assert by_kind["Secret"]["stringData"] == {"token": token}
    told = by_kind["ConfigMap"]["data"]
    assert (told["OSMO_BACKEND"], told["OSMO_NATS_URL"]) == ("lab", ADDRESSES["nats_url"])
    assert {each["metadata"].get("namespace", "gpu-jobs") for each in objects} == {"gpu-jobs"}
    assert found["manifest"].count(token) == 1
    commit = (await records(house))[0]
    assert commit.actor == "ann"
    assert commit.events[0].sha256 == digest(token)
    for record in await house.connection.log.load(config("backend_token", "lab")):
        assert token.encode() not in record.data
    shown = await good(house, "GET", "/lab")
    assert (shown["status"], shown["description"], shown["version"], shown["pools"]) == ("OFFLINE", "the lab", "", [])
    assert [(each["status"], each["issued_by"]) for each in shown["tokens"]] == [("VALID", "ann")]
    assert token not in str(shown)


async def test_the_list_says_who_is_there_and_what_they_have(house: House) -> None:
    await register(house)
    await come(house)
    found = {each["name"]: each for each in (await good(house, "GET"))["backends"]}
    assert set(found) == {"b1", "b2", "lab"}
    lab = found["lab"]
    assert (lab["nodes"], lab["gpus"], lab["cluster_uid"], lab["skew"], lab["capabilities"]) == (
        1, 4, "uid-lab", "same", ["window"],
    )  # fmt: skip
    assert found["b1"]["pools"] == ["default", "spare"]
    assert (found["b1"]["skew"], found["b2"]["status"]) == ("foreign", "OFFLINE")
    assert "at most one minor version" in found["b1"]["warning"]


async def test_a_cluster_whose_clock_is_wrong_counts_by_ours(house: House) -> None:
    """Its heartbeat says five hours ago (see `come`), and it is online for two minutes from when we heard it."""
    await register(house)
    await come(house)
    house.clock.at += timedelta(minutes=2, seconds=1)
    assert (await good(house, "GET", "/lab"))["status"] == "OFFLINE"
    await house.see(Heartbeat(house.clock.at + timedelta(days=300)), kind="heartbeat", backend="lab")
    async with asyncio.timeout(5):
        while (await good(house, "GET", "/lab"))["status"] != "ONLINE":
            await asyncio.sleep(0.001)
    house.clock.at += timedelta(minutes=2, seconds=1)
    assert (await good(house, "GET", "/lab"))["status"] == "OFFLINE"


async def test_what_cannot_be_is_refused_with_a_code(house: House) -> None:
    for name in ("Lab", "a.b", "a_b", "-a", "a-", "9a", "a" * 64):
        assert await code(house, "POST", f"/{name}", ADDRESSES) == (400, "backend.name")
    for wrong in ({"nats_url": "http://x"}, {"nats_url": "nats://user:secret@x"}, {"service_url": "x"}, {"log_router_url": "https://"},
                  {"nats_url": "tls://x\n"}):  # fmt: skip
        assert await code(house, "POST", "/lab", {**ADDRESSES, **wrong}) == (400, "backend.address")
    assert await code(house, "POST", "/lab", {**ADDRESSES, "namespace": "A"}) == (400, "backend.namespace")
    assert await code(house, "POST", "/lab", {**ADDRESSES, "runtime_image": "a b"}) == (400, "backend.image")
    assert (await call(house, "POST", "/lab", {"nats": "x"}))[0] == 422
    for method, path in (("GET", "/no"), ("DELETE", "/no"), ("POST", "/no/token"), ("DELETE", "/no/token")):
        assert await code(house, method, path) == (404, "backend.unknown")
    assert not await records(house)
    await register(house)
    assert await code(house, "POST", "/lab", ADDRESSES) == (409, "backend.exists")
    assert await code(house, "DELETE", "/lab/token/other") == (404, "backend.unknown_token")
    for grace in (-1, 1e9):
        assert await code(house, "POST", "/lab/token", {"grace_s": grace}) == (400, "backend.grace")
    assert len(await records(house)) == 1


async def test_two_tokens_are_good_at_a_time_and_the_old_one_ends_by_itself(house: House) -> None:
    first = (await register(house))["token"]
    access = house.gateway.backend_tokens.access
    found = await good(house, "POST", "/lab/token", {"grace_s": 600})
    second = found["token"]
    assert found["previous_end_at"] == "2026-11-20T11:10:00"
    for token in (first, second):
        assert access.of(token, house.clock.now())[0] == "lab"
    third = (await good(house, "POST", "/lab/token", {"grace_s": 3600}))["token"]
    with pytest.raises(Rejected, match="revoked"):
        access.of(first, house.clock.now())
    assert [one["status"] for one in (await good(house, "GET", "/lab"))["tokens"]] == ["REVOKED", "RETIRING", "VALID"]
    house.clock.at += timedelta(hours=1)
    with pytest.raises(Rejected, match="replaced"):
        access.of(second, house.clock.now())
    assert access.of(third, house.clock.now())[0] == "lab"
    revoked = await good(house, "DELETE", "/lab/token")
    assert revoked["revoked"] == [digest(third)[:12]]
    assert (await good(house, "DELETE", "/lab/token"))["revoked"] == []
    with pytest.raises(Rejected, match="revoked"):
        access.of(third, house.clock.now())
    assert access.of((await register(house))["token"], house.clock.now())[0] == "lab"
    for stranger in ("", "x", "osmo_lab_", f"osmo_lab_{'0' * 64}", f"osmo_no_{'0' * 64}", third + "\n"):
        with pytest.raises(Rejected):
            access.of(stranger, house.clock.now())


class Clients:
    """Who was sent away."""

    def __init__(self) -> None:
        self.away: list[set[str]] = []

    async def send_away(self, users: set[str]) -> int:
        self.away.append(users)
        return len(users)


async def test_whoever_comes_with_a_token_that_is_to_end_is_sent_away_to_come_again(house: House) -> None:
    clients = Clients()
    house.gateway.backends._clients = clients
    first = digest((await register(house))["token"])[:12]
    second = (await good(house, "POST", "/lab/token", {"grace_s": 60}))["token_id"]
    assert clients.away == [{f"lab/{first}"}]
    revoked = await good(house, "DELETE", f"/lab/token/{second}")
    assert (revoked["revoked"], revoked["disconnected"]) == ([second], 1)
    await good(house, "DELETE", "/lab")
    assert clients.away[1:] == [{f"lab/{second}"}, {f"lab/{first}"}]


async def test_a_backend_in_use_is_deleted_only_by_force_and_then_forgotten_whole(house: House) -> None:
    await house.append("w-1", submitted("w-1"))
    status, refusal = await call(house, "DELETE", "/b1")
    assert (status, refusal["code"]) == (409, "backend.in_use")
    assert "2 pools (default, spare), with 1 live" in refusal["message"]
    token = (await register(house, "b1"))["token"]
    await house.connection.log.publish(command("b1"), b"waits", message_id="waits")
    await good(house, "DELETE", "/b1", {"force": True})
    assert await code(house, "GET", "/b1") == (404, "backend.unknown")
    with pytest.raises(Rejected, match="revoked"):
        house.gateway.backend_tokens.access.of(token, house.clock.now())
    assert await house.connection.log.load(command("b1")) == []
    assert await house.connection.log.last(CLUSTERS, cluster("b1", "node", "*")) is None
    await register(house, "b1")
    await come(house, "b1", uid="another cluster")
    assert (await good(house, "GET", "/b1"))["nodes"] == 1


async def test_a_backend_that_nothing_uses_is_deleted_at_once(house: House) -> None:
    await register(house)
    await come(house)
    await good(house, "DELETE", "/lab")
    assert "lab" not in {each["name"] for each in (await good(house, "GET"))["backends"]}


async def test_a_name_belongs_to_the_first_cluster_and_versions_must_fit(house: House) -> None:
    agent = WindowedConnection(house.connection, "lab")
    checks = Registrations(house.connection.log, "1.4.2")
    await checks.check("lab", BackendRegistered("lab", "one", "1.5.0", "kubernetes", T0))
    await checks.check("lab", BackendRegistered("lab", "one", "1.9.0", "kubernetes", T0))
    for release in ("2.4.2", "0.4.2", "", "nonsense"):
        with pytest.raises(Rejected, match="same major version"):
            await checks.check("lab", BackendRegistered("lab", "one", release, "kubernetes", T0))
    await come(house)
    ours = version("osmo-gateway")
    with pytest.raises(Rejected, match="registered by another cluster") as refused:
        await checks.check("lab", BackendRegistered("lab", "two", "1.4.2", "kubernetes", T0))
    assert refused.value.code == "backend.other_cluster"
    found = await agent.log.last(CLUSTERS, cluster("lab", "registered"))
    assert found is not None
    assert ours.encode() in found.data


async def test_a_seeded_token_is_good_until_somebody_revokes_it_and_never_sown_again(house: House) -> None:
    token = "osmo_b1_" + "12" * 32
    seed = Seed(backend_tokens={"b1": digest(token)})
    tokens = house.gateway.backend_tokens
    for _ in range(2):
        await sow_tokens(seed, tokens)
    assert len(await records(house, "b1")) == 1
    await good(house, "DELETE", "/b1/token")
    await sow_tokens(seed, tokens)
    with pytest.raises(Rejected, match="revoked"):
        tokens.access.of(token, house.clock.now())


class Caller:
    name, host = "agent", "10.0.0.1"

    def __init__(self, token: str) -> None:
        self.token = token


class Signer:
    """Says what it was asked to sign."""

    def let_in(self, caller: Caller, *, name: str, rights: Rights, now: datetime, until: datetime) -> bytes:
        return f"{name} {(until - now).total_seconds():.0f} {len(rights.publish)}".encode()

    def turn_away(self, caller: Caller, reason: str, *, now: datetime) -> bytes:
        return reason.encode()


async def test_a_login_lasts_no_longer_than_its_token(house: House, caplog: pytest.LogCaptureFixture) -> None:
    door = AgentDoor(
        house.gateway.backend_tokens,
        house.gateway.estate,
        Signer(),
        lambda data: Caller(data.decode()),
        house.clock,
        timedelta(hours=1),
    )
    token = (await register(house))["token"]
    name = f"lab/{digest(token)[:12]}"
    assert (await door.answer(token.encode())).startswith(f"{name} 3600 ".encode())
    await good(house, "POST", "/lab/token", {"grace_s": 60})
    assert (await door.answer(token.encode())).startswith(f"{name} 60 ".encode())
    house.clock.at += timedelta(minutes=1)
    assert b"was replaced" in await door.answer(token.encode())
    assert b"no token" in await door.answer(b"something else")
    another = (await register(house, "hall"))["token"]
    assert (await door.answer(another.encode())).startswith(b"hall/")
    async with house.session.delete("/api/configs/backend/hall", json={}) as answer:
        assert answer.status == 200
    assert b"no backend hall any more" in await door.answer(another.encode())
    assert token not in caplog.text
