"""A data service on the memory twin, with credentials, and somebody who asks."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from osmo_data.app import Keys, open_app
from osmo_data.credentials.keys import KeyRing
from osmo_data.settings import DataSettings
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import ConfigRevised
from osmo_domain.credential_requests import CredentialsListed, ListCredentials, SetCredential
from osmo_domain.credentials import CredentialType
from osmo_domain.plan import GroupPlan, Plan, TaskPlan
from osmo_domain.requests import DataAnswer, DataQuestion, Refused
from osmo_domain.workflow.events import WorkflowSubmitted
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.memory.connection import MemoryConnection
from osmo_eventlog.ports import After
from osmo_eventlog.subjects import CONFIG, DATA_QUESTIONS, config_revision, workflow
from osmo_service.clock import SystemClock
from osmo_service.lifecycle import run_app

TASK_KEY = b"the key of the tasks"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def keys(master: bytes = b"k" * 32) -> Keys:
    return Keys(KeyRing([master]), TASK_KEY, random.Random(3).randbytes)


class House:
    def __init__(self) -> None:
        self.server = MemoryServer(SystemClock(), random.Random(1))
        self.user: MemoryConnection = self.server.connect("user")
        self.lives = 0

    @contextlib.asynccontextmanager
    async def replica(self, with_keys: Keys | None) -> AsyncIterator[None]:
        self.lives += 1
        connection, rng = self.server.connect(f"data-{self.lives}"), random.Random(self.lives)
        stop = asyncio.Event()
        async with open_app(DataSettings(), connection, SystemClock(), rng, with_keys) as app:
            running = asyncio.create_task(run_app(app, stop))
            async with asyncio.timeout(5):
                await app.ready.wait()
            yield
            stop.set()
            await running

    async def ask(self, question: DataQuestion) -> DataAnswer:
        data = await self.user.requests.ask(DATA_QUESTIONS, msgspec.json.encode(question), timeout_s=10)
        answer: DataAnswer = msgspec.json.decode(data, type=DataAnswer)
        return answer

    async def set(
        self, name: str, kind: CredentialType = CredentialType.GENERIC, user: str = "ada", **payload: str
    ) -> DataAnswer:
        return await self.ask(SetCredential(user, name, kind, payload))

    async def refusal(self, question: DataQuestion) -> Refused:
        answer = await self.ask(question)
        assert isinstance(answer, Refused), answer
        return answer

    async def names(self, user: str = "ada") -> list[tuple[str, str, str | None]]:
        answer = await self.ask(ListCredentials(user))
        assert isinstance(answer, CredentialsListed)
        return [(each.name, each.kind.value, each.profile) for each in answer.credentials]

    async def submitted(
        self, *tasks: TaskPlan, user: str = "ada", blob: bool = False, backend: str = "default"
    ) -> None:
        plan = Plan("wf", "default", backend, (GroupPlan("g", tasks),))
        event = WorkflowSubmitted("wf-1", "u" * 32, user, NOW, plan)
        if blob:
            event = msgspec.structs.replace(
                event, plan=None, plan_blob=await self.user.blobs.put(msgspec.json.encode(plan))
            )
        commit = Commit("c1", NOW, user, [event])
        await self.user.log.append(workflow(0, "wf-1"), encode_commit(commit), message_id="c1", expected=0)

    async def configure_workflow(self, value: dict[str, Any]) -> None:
        await self.configure("WORKFLOW", {"workflow": value})

    async def configure(self, kind: str, objects: dict[str, Any]) -> None:
        """The first write of this type."""
        event = ConfigRevised(kind, {name: Raw(msgspec.json.encode(value)) for name, value in objects.items()})
        commit = Commit("c2", NOW, "admin", [event])
        await self.user.log.append(
            config_revision(kind), encode_commit(commit), message_id=f"config/{kind}", expected=0
        )

    async def stored(self) -> bytes:
        """All that the log has ever been given about credentials."""
        found = b""
        async with contextlib.aclosing(self.user.log.follow(CONFIG, [], After(0))) as batches:
            async for records in batches:
                found += b"\n".join(record.subject.encode() + b" " + record.data for record in records)
                if records[-1].seq >= await self.user.log.last_seq(CONFIG):
                    return found
        return found


@pytest.fixture
async def house() -> AsyncIterator[House]:
    opened = House()
    async with opened.replica(keys()):
        yield opened


@pytest.fixture
def new_house() -> type[House]:
    """Makes one without any replica."""
    return House
