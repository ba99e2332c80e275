"""A second cluster beside `osmo up`'s own: registered, worked on, its tokens changed under load, cut off, brought back, deleted."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.flows.person import OVER_WITHIN_S, Person, spec, task
from tests.installation import Installation


@dataclass
class Cluster:
    """An agent in a process of its own, as it would run elsewhere: all that it has is a token in a file and an address."""

    directory: Path
    nats_url: str
    backend: str
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def token_file(self) -> Path:
        return self.directory / "token"

    @property
    def said(self) -> str:
        return (self.directory / "said").read_text(encoding="utf-8")

    async def start(self) -> asyncio.subprocess.Process:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OSMO_")},
            "OSMO_BACKEND": self.backend,
            "OSMO_RUNTIME": "simulated",
            "OSMO_SIMULATED_NODES": "4x8",
            "OSMO_NATS_URL": self.nats_url,
            "OSMO_BACKEND_TOKEN_FILE": str(self.token_file),
            "OSMO_STATE_DIR": str(self.directory),
            "OSMO_HEARTBEAT_EVERY_S": "1",
        }
        with (self.directory / "said").open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "osmo_agent", env=environ, stdout=output, stderr=output
            )
        self.processes.append(process)
        return process

    async def stop(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        self.processes.clear()


@pytest.fixture
async def lab(up: Installation, tmp_path: Path) -> AsyncIterator[Cluster]:
    address = up.nats_url.rpartition("@")[2]
    one = Cluster(tmp_path, f"nats://{address}", "lab")
    yield one
    await one.stop()


@dataclass
class Admin:
    person: Person

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.person.http.request(method, f"/api/{path}", json=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def good(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = await self.call(method, path, body)
        assert status == 200, answer
        return answer

    async def until(self, backend: str, condition: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(OVER_WITHIN_S):
            while not condition(found := await self.good("GET", f"backend/{backend}")):
                await asyncio.sleep(0.05)
        return found


ADDRESSES = {
    "nats_url": "tls://osmo.example.org",
    "log_router_url": "http://osmo.example.org",
    "service_url": "http://osmo.example.org",
}


async def test_the_life_of_a_second_cluster(up: Installation, ada: Person, lab: Cluster) -> None:
    admin = Admin(ada)
    registered = await admin.good("POST", "backend/lab", {"description": "elsewhere", **ADDRESSES})
    lab.token_file.write_text(registered["token"])

    # it comes in with its token, a pool is made of it, and work runs there
    await lab.start()
    found = await admin.until("lab", lambda one: one["status"] == "ONLINE" and one["nodes"] == 4)
    assert (found["gpus"], found["skew"], found["cluster_uid"]) == (32, "same", "simulated-lab")
    pool = {"backend": "lab", "default_platform": "all", "platforms": {"all": {}}}
    await admin.good("PUT", "configs/pool/lab", {"configs": pool})
    name = await ada.submit(spec("there", task("a"), task("b", after=["a"])), pool="lab")
    assert (await ada.over(name)).status == "COMPLETED"

    # under load: the token is changed, the old one is revoked, the agent is sent away; nothing is lost and nothing runs twice
    running = [
        await ada.submit(spec(f"load-{number}", *[task(f"t{n}", SIM_SECONDS=0.5) for n in range(4)]), pool="lab")
        for number in range(8)
    ]
    rotated = await admin.good("POST", "backend/lab/token", {"grace_s": 600})
    await until_said(lab, "connected to NATS again")  # with the old token, which ends in ten minutes
    lab.token_file.write_text(rotated["token"] + "\n")
    revoked = await admin.good("DELETE", f"backend/lab/token/{registered['token_id']}")
    assert (revoked["revoked"], revoked["disconnected"]) == ([registered["token_id"]], 1)
    for each in running:
        over = await ada.over(each)
        assert over.status == "COMPLETED"
        assert [one.retry_id for group in over.groups for one in group.tasks] == [0] * 4

    # another cluster under the same name is told so, with a sentence, and ends
    other_directory = lab.directory / "other"
    other_directory.mkdir()
    other = Cluster(other_directory, lab.nats_url, "lab")
    other.token_file.write_text(rotated["token"])
    await forge_uid(up, "another-uid")
    refused = await other.start()
    async with asyncio.timeout(OVER_WITHIN_S):
        assert await refused.wait() == 1
    assert "is registered by another cluster (another-uid" in other.said
    await forge_uid(up, "simulated-lab")

    # cut off in the middle of work: the pods run on, and what they did is told when a good token is there
    name = await ada.submit(spec("cut", *[task(f"t{n}", SIM_SECONDS=2) for n in range(3)]), pool="lab")
    await ada.until(name, lambda one: one.status == "RUNNING")
    assert (await admin.good("DELETE", "backend/lab/token"))["disconnected"] == 1
    await until_said(lab, "does not let this client in")
    again = await admin.good("POST", "backend/lab", ADDRESSES)
    lab.token_file.write_text(again["token"])
    assert (await ada.over(name)).status == "COMPLETED"
    assert lab.said.count("does not let this client in") == 1
    for secret in (registered["token"], rotated["token"], again["token"]):
        assert secret not in lab.said
        assert not any(secret in log.read_text(errors="replace") for log in (up.data_dir / "logs").glob("*.log"))

    # deleted only when nothing needs it
    status, refusal = await admin.call("DELETE", "backend/lab")
    assert (status, refusal["code"]) == (409, "backend.in_use")
    assert "used by 1 pool (lab), with 0 live" in refusal["message"]
    await admin.good("DELETE", "configs/pool/lab", {})
    await admin.good("DELETE", "backend/lab")
    assert (await admin.call("GET", "backend/lab"))[0] == 404
    listed = {each["name"] for each in (await admin.good("GET", "backend"))["backends"]}
    assert listed == {"default", "simulated"}


async def forge_uid(up: Installation, uid: str) -> None:
    """As if the cluster that has the name were this one: only a service could write that."""
    import random
    from datetime import UTC, datetime
    from importlib.metadata import version

    from osmo_domain.cluster import BackendRegistered
    from osmo_domain.commit import Commit, encode_commit
    from osmo_domain.ids import new_uuid
    from osmo_eventlog import subjects
    from osmo_eventlog.nats import connect

    rng, now = random.Random(), datetime.now(UTC)
    fact = BackendRegistered("lab", uid, version("osmo-agent"), "simulated", now)
    data = encode_commit(Commit(new_uuid(rng), now, "test", [fact]))
    async with connect(up.nats_url, name="test", rng=rng) as connection:
        await connection.log.append(
            subjects.cluster("lab", "registered"), data, message_id=new_uuid(rng), expected=None
        )


async def until_said(cluster: Cluster, words: str) -> None:
    async with asyncio.timeout(OVER_WITHIN_S):
        while words not in cluster.said:
            await asyncio.sleep(0.05)


async def test_osmo_up_keeps_its_own_agents_to_their_rights(up: Installation, ada: Person) -> None:
    """They come with tokens, and the server has nothing to complain about."""
    found = {each["name"]: each for each in (await Admin(ada).good("GET", "backend"))["backends"]}
    for backend in ("default", "simulated"):
        assert [one["issued_by"] for one in found[backend]["tokens"]] == ["seed"]
        assert (up.data_dir / "backends" / backend / "token").stat().st_mode & 0o077 == 0
    seed = json.loads((up.data_dir / "seed.json").read_text())
    assert set(seed["backend_tokens"]) == {"default", "simulated"}
    assert "Violation" not in (up.data_dir / "logs" / "nats-server.log").read_text(errors="replace")
