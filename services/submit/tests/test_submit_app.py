"""The whole service on the memory twin: it learns pools and nodes from the log, becomes ready, and answers at its subject."""

import asyncio
import random
from typing import Any

import msgspec

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import ConfigSet
from osmo_domain.pool import Platform, Pool, WorkflowSettings
from osmo_domain.requests import FrontDoorAnswer, Refused, SubmitRequest, Submitted
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.ports import EventLog
from osmo_eventlog.subjects import FRONT_DOOR, config
from osmo_service.clock import SystemClock
from osmo_service.lifecycle import run_app
from osmo_submit.adapters.in_process import InProcessRenderer
from osmo_submit.app import open_app
from osmo_submit.settings import SubmitSettings

SPEC = "workflow:\n  name: w\n  tasks:\n  - {name: a, image: alpine, command: [x]}\n"


async def configure(log: EventLog, kind: str, name: str, value: Any) -> None:
    event = ConfigSet(kind, name, msgspec.Raw(msgspec.json.encode(value)))
    commit = Commit(id=f"{kind}-{name}", at=SystemClock().now(), actor="test", events=[event])
    await log.publish(config(kind, name), encode_commit(commit), message_id=commit.id)


async def test_it_becomes_ready_and_answers() -> None:
    server = MemoryServer(SystemClock(), random.Random(0))
    user = server.connect("user")
    await configure(user.log, "pool", "lab", Pool("lab", "b", default_platform="d", platforms={"d": Platform()}))
    await configure(user.log, "workflow", "default", WorkflowSettings(data_url="file:///d"))
    stop = asyncio.Event()

    async def ask(request: SubmitRequest) -> FrontDoorAnswer:
        data = await user.requests.ask(FRONT_DOOR, msgspec.json.encode(request), timeout_s=5)
        answer: FrontDoorAnswer = msgspec.json.decode(data, type=FrontDoorAnswer)
        return answer

    connection = server.connect("submit")
    async with open_app(SubmitSettings(), connection, SystemClock(), random.Random(1), InProcessRenderer()) as app:
        running = asyncio.create_task(run_app(app, stop))
        async with asyncio.timeout(10):
            await app.ready.wait()
        accepted = await ask(SubmitRequest("lab", "ada", SPEC))
        refused = await ask(SubmitRequest("other", "ada", SPEC))
        stop.set()
        await running
    assert isinstance(accepted, Submitted)
    assert accepted.name == "w-1"
    assert isinstance(refused, Refused)
    assert refused.code == "submit.unknown_pool"
