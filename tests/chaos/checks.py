"""What must hold once everything is over. Each check yields what it found wrong, in words."""

import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import aiohttp
from tests.chaos.serial import LINES, TASKS, SerialRuns
from tests.installation import Installation
from tests.simulation.invariants import check_history, folded

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowEvent
from osmo_domain.workflow.state import Attempt, Workflow
from osmo_eventlog import subjects
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.nats import connect
from osmo_eventlog.ports import Connection
from osmo_views.postgres import open_workflow_views
from osmo_views.rows import ATTEMPT_MOVING, GROUP_MOVING, WORKFLOW_MOVING, WorkflowDetail

_USER_LINE = re.compile(r"\S+ \S+ \[(t\d+)(?: retry-\d+)?\] (.*)")
_STATE_NAMES = {"cancelled_by": "canceled_by"}
_WORKFLOW_COLUMNS = tuple(name for name in WORKFLOW_MOVING if name != "last_seq")
"""`last_seq` is where the row stands, not what the workflow is."""

History = list[Commit[WorkflowEvent | UnknownEvent]]


async def problems(up: Installation, runs: SerialRuns) -> list[str]:
    """Everything that is wrong with these runs."""
    found = [*await _submissions(runs), *_diary(runs)]
    found += [problem async for problem in _logs(runs)]
    found += [problem async for problem in _states(up, runs)]
    return found


async def _submissions(runs: SerialRuns) -> list[str]:
    """Every submission became one workflow, and that COMPLETED."""
    statuses = await runs.statuses()
    found = [f"{name} ended {status}" for name, status in statuses.items() if status != "COMPLETED"]
    if sorted(statuses) != sorted(runs.ids.values()):
        found.append(
            f"asked for {len(runs.ids)} workflows, told of {sorted(runs.ids.values())}, got {sorted(statuses)}"
        )
    return found


def _diary(runs: SerialRuns) -> Iterator[str]:
    """Each task started once: there are no retries, so each has one attempt."""
    starts = Counter(runs.diary.read_text(encoding="utf-8").splitlines())
    wanted = {f"{name} t{number}" for name in runs.ids.values() for number in range(TASKS)}
    for start, count in starts.items():
        if count > 1:
            yield f"{start} ran {count} times in one attempt"
    if missing := wanted - starts.keys():
        yield f"never ran: {sorted(missing)}"


async def _logs(runs: SerialRuns) -> AsyncIterator[str]:
    """Every task's lines are there, once and in order."""
    async with aiohttp.ClientSession(runs.url, headers={"x-osmo-user": "chaos"}) as http:
        for name in runs.ids.values():
            async with http.get(f"/api/workflow/{name}/logs") as answer:
                text = await answer.text()
            said: dict[str, list[str]] = {}
            for task, line in _USER_LINE.findall(text):
                said.setdefault(task, []).append(line)
            for task in (f"t{number}" for number in range(TASKS)):
                if said.get(task) != [f"{task} says {n}" for n in range(LINES)]:
                    yield f"{name}: lines of {task} are {said.get(task)}"


async def _states(up: Installation, runs: SerialRuns) -> AsyncIterator[str]:
    """Histories make sense, and rows and API answers are what they fold to."""
    async with (
        connect(up.nats_url, name="chaos", rng=random.Random()) as connection,
        open_workflow_views(up.database_url) as views,
        aiohttp.ClientSession(runs.url, headers={"x-osmo-user": "chaos"}) as http,
    ):
        for name in runs.ids.values():
            history = await _history(connection, name)
            for problem in check_history(history):
                yield problem
            detail = await views.detail(name, all_attempts=True)
            assert detail is not None, f"{name} is not in the views"
            for problem in _differences(folded(history), detail):
                yield problem
            async with http.get(f"/api/workflow/{name}", params={"verbose": "true"}) as answer:
                shown = json.loads(await answer.read())
            for problem in _shown_differently(folded(history), shown):
                yield problem


async def _history(connection: Connection, name: str) -> History:
    records = await connection.log.load(subjects.workflow(0, name))
    return [await hydrate(WORKFLOW_CODEC.decode(record.data), connection.blobs) for record in records]


def _differences(state: Workflow, detail: WorkflowDetail) -> Iterator[str]:
    """Between the fold and the rows: every column that an event can change."""
    yield from _compare(state.workflow_id, state, detail.workflow, _WORKFLOW_COLUMNS)
    if {row.name for row in detail.groups} != set(state.groups):
        yield f"{state.workflow_id}: groups are {[row.name for row in detail.groups]}, not {sorted(state.groups)}"
    for row in detail.groups:
        yield from _compare(f"{state.workflow_id} {row.name}", state.groups[row.name], row, GROUP_MOVING)
    attempts = {(task, one.retry_id): one for task in state.tasks for one in attempts_of(state, task)}
    if {(row.task, row.retry_id) for row in detail.attempts} != set(attempts):
        yield f"{state.workflow_id}: the rows have other attempts than the log"
    for attempt in detail.attempts:
        where = f"{state.workflow_id} {attempt.task} retry {attempt.retry_id}"
        yield from _compare(where, attempts[attempt.task, attempt.retry_id], attempt, ATTEMPT_MOVING)


def _shown_differently(state: Workflow, shown: dict[str, object]) -> Iterator[str]:
    tasks = {task["name"]: task for group in shown["groups"] for task in group["tasks"]}  # type: ignore[attr-defined]
    said = {name: (task["status"], task["exit_code"]) for name, task in tasks.items()}
    wanted = {name: (task.status.value, task.attempt.exit_code) for name, task in state.tasks.items()}
    if shown["status"] != state.status.value or said != wanted:
        yield f"{state.workflow_id}: the API shows {shown['status']} {said}, the log says {state.status} {wanted}"


def _compare(where: str, state: object, row: object, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        told, written = getattr(state, _STATE_NAMES.get(name, name)), getattr(row, name)
        if told != written:
            yield f"{where}: {name} is {written!r} in the views and {told!r} in the log"


def attempts_of(state: Workflow, task: str) -> list[Attempt]:
    return [*state.tasks[task].earlier, state.tasks[task].attempt]
