"""Somebody who submits workflows over HTTP and looks what became of them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from osmo_api.client import ApiClient, open_client
from osmo_api.http import SubmitBody, TaskEntry, WorkflowAnswer

OVER_WITHIN_S = 30.0
ALIVE = frozenset({"PENDING", "RUNNING", "WAITING"})


@dataclass
class Person:
    api: ApiClient
    http: aiohttp.ClientSession

    async def submit(self, spec: str, *, pool: str = "simulated", **params: str) -> str:
        """The id of the workflow."""
        return (await self.api.submit(pool, SubmitBody(spec), params)).name

    async def until(self, name: str, condition: Callable[[WorkflowAnswer], bool]) -> WorkflowAnswer:
        """The workflow, once the condition holds."""
        until = time.monotonic() + OVER_WITHIN_S
        while True:
            found = await self.api.workflow(name, verbose=True)
            if condition(found):
                return found
            assert time.monotonic() < until, f"after {OVER_WITHIN_S} s {name} is still {found}"
            await asyncio.sleep(0.02)

    async def over(self, name: str) -> WorkflowAnswer:
        return await self.until(name, lambda workflow: workflow.status not in ALIVE)

    async def stored(self) -> int:
        """How many workflows there are, refused ones among them."""
        total = 0
        for params in ({}, {"statuses": "FAILED_SUBMISSION"}):
            more, offset = True, 0
            while more:
                page = {"all_users": True, "all_pools": True, "limit": 1000, "offset": offset, **params}
                found = await self.api.workflows(page)
                more, offset = found.more_entries, offset + len(found.workflows)
            total += offset
        return total


@asynccontextmanager
async def person(url: str, user: str) -> AsyncIterator[Person]:
    async with open_client(url, user=user) as api, aiohttp.ClientSession(url, headers={"x-osmo-user": user}) as http:
        yield Person(api, http)


def tasks(workflow: WorkflowAnswer) -> dict[str, TaskEntry]:
    return {task.name: task for group in workflow.groups for task in group.tasks}


def ends(workflow: WorkflowAnswer) -> dict[str, tuple[str, int | None]]:
    """Task to its status and exit code."""
    return {name: (task.status, task.exit_code) for name, task in tasks(workflow).items()}


def task(
    name: str,
    *,
    after: Sequence[str] = (),
    command: Sequence[str] = ("run",),
    image: str = "none",
    **environment: object,
) -> dict[str, object]:
    return {
        "name": name,
        "image": image,
        "command": list(command),
        "environment": {key: str(value) for key, value in environment.items()},
        "inputs": [{"task": upstream} for upstream in after],
    }


def spec(name: str, *bodies: Mapping[str, object], **more: object) -> str:
    """JSON is YAML."""
    return "workflow: " + json.dumps({"name": name, "tasks": bodies, **more})
