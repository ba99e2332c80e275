"""Who may have values: attempts of tasks that show the token that only their cluster was given."""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from osmo_domain.credential_requests import AttemptProof, FetchCredentials
from osmo_domain.credentials import Uses
from osmo_domain.errors import Rejected
from osmo_domain.plan import TaskPlan
from osmo_domain.task_token import token_matches
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowSubmitted
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.ports import After, Blobs, EventLog, Recorded
from osmo_eventlog.subjects import WORKFLOWS, workflow_any_shard

_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class Submitted:
    """Whose workflow it is, for which backend, and what each of its tasks uses. Never changes."""

    user: str
    backend: str
    uses: Mapping[str, Uses]
    images: Mapping[str, str]
    hands_on: frozenset[str]
    """Tasks that get data from others, or keep it for others."""


class Proofs:
    def __init__(self, log: EventLog, blobs: Blobs, task_key: bytes) -> None:
        self._log = log
        self._blobs = blobs
        self._task_key = task_key
        self._known: OrderedDict[str, Submitted] = OrderedDict()

    async def submitted(self, question: FetchCredentials, backend: str | None = None) -> Submitted:
        """What the workflow of these attempts says about credentials. Rejected where one of them cannot prove that it is of it, or where it is
        not for the backend whose agent asks (None: it is not said who asks)."""
        for attempt in question.attempts:
            if not self._proves(question.workflow_id, attempt):
                raise _unproven(question.workflow_id)
        found = await self._load(question.workflow_id)
        if found is None or any(attempt.task not in found.uses for attempt in question.attempts):
            raise _unproven(question.workflow_id)
        if backend is not None and found.backend != backend:
            raise _unproven(question.workflow_id)
        return found

    def _proves(self, workflow_id: str, attempt: AttemptProof) -> bool:
        token = attempt.token
        return token.isascii() and token_matches(self._task_key, workflow_id, attempt.task, attempt.retry_id, token)

    async def _load(self, workflow_id: str) -> Submitted | None:
        if workflow_id not in self._known:
            first = await self._first_record(workflow_id)
            found = await self._read(first) if first is not None else None
            if found is None:
                return None
            self._known[workflow_id] = found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[workflow_id]

    async def _first_record(self, workflow_id: str) -> Recorded | None:
        """The submission stands first on its subject; what followed may be long, and is not read."""
        last = await self._log.last(WORKFLOWS, workflow_any_shard(workflow_id))
        if last is None:
            return None
        async with aclosing(self._log.follow(WORKFLOWS, [last.subject], After(0), batch=1)) as batches:
            async for records in batches:
                return records[0]
        return None

    async def _read(self, record: Recorded) -> Submitted | None:
        commit = await hydrate(WORKFLOW_CODEC.decode(record.data), self._blobs)
        for event in commit.events:
            if isinstance(event, WorkflowSubmitted) and event.plan is not None:
                tasks = [task for group in event.plan.groups for task in group.tasks]
                return Submitted(
                    event.user,
                    event.plan.backend,
                    {task.name: task.credentials for task in tasks},
                    {task.name: task.image for task in tasks},
                    frozenset(task.name for task in tasks if _hands_on(task)),
                )
        return None


def _hands_on(task: TaskPlan) -> bool:
    return any(given.task for given in task.inputs) or any(output.intermediate for output in task.outputs)


def _unproven(workflow_id: str) -> Rejected:
    return Rejected(
        "credential.unproven",
        f"Nobody has proved to run these tasks of {workflow_id[:200]}: no values are given.",
        error_code="CREDENTIAL",
        http_status=403,
    )
