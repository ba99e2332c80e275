"""Workflows as the log has them, for requests that concern one that exists."""

from collections.abc import Sequence
from dataclasses import dataclass

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.errors import Rejected
from osmo_domain.plan import Plan
from osmo_domain.spec.planning import decode_plan
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowEvent, WorkflowRejected, WorkflowSubmitted
from osmo_domain.workflow.evolve import fold
from osmo_domain.workflow.state import Workflow
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.ports import Blobs, EventLog, Recorded
from osmo_eventlog.subjects import WORKFLOWS, workflow_any_shard

FirstEvent = WorkflowSubmitted | WorkflowRejected


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workflow up to `seq`, the position of its last commit; `first_seq` is that of its first."""

    state: Workflow
    first: FirstEvent
    subject: str
    seq: int
    first_seq: int


class Workflows:
    def __init__(self, log: EventLog, blobs: Blobs) -> None:
        self._log = log
        self._blobs = blobs

    async def load(self, workflow_id: str) -> Loaded:
        """Refused with `workflow.not_found`, class DATABASE."""
        records = await self._records(workflow_id)
        commits = [await hydrate(WORKFLOW_CODEC.decode(record.data), self._blobs) for record in records]
        state = fold(commits)
        first = first_event(commits)
        if state is None or first is None:
            raise not_found(workflow_id)
        return Loaded(state, first, records[-1].subject, records[-1].seq, records[0].seq)

    async def draft_of(self, loaded: Loaded) -> Plan:
        """The plan to run again, with tokens of ids where the user's text had them. Refused where nothing was ever planned."""
        if isinstance(loaded.first, WorkflowSubmitted) and loaded.first.draft_blob:
            return decode_plan(await self._blobs.get(loaded.first.draft_blob))
        if loaded.state.plan is None:
            raise Rejected(
                "workflow.never_ran",
                f"Workflow {loaded.state.workflow_id} was refused when it was submitted: there is nothing to run again.",
                error_code="SUBMISSION",
            )
        return loaded.state.plan

    async def _records(self, workflow_id: str) -> Sequence[Recorded]:
        if not is_subject_token(workflow_id):
            raise not_found(workflow_id)
        last = await self._log.last(WORKFLOWS, workflow_any_shard(workflow_id))
        if last is None:
            raise not_found(workflow_id)
        return await self._log.load(last.subject)


def first_event(commits: Sequence[Commit[WorkflowEvent | UnknownEvent]]) -> FirstEvent | None:
    for commit in commits[:1]:
        for event in commit.events:
            if isinstance(event, FirstEvent):
                return event
    return None


def is_subject_token(text: str) -> bool:
    """Whether the text can stand in a subject: an id from outside may be anything."""
    return bool(text) and text.isascii() and all(letter.isalnum() or letter in "-_" for letter in text)


def not_found(workflow_id: str) -> Rejected:
    return Rejected("workflow.not_found", f"Workflow {workflow_id} is not found.", error_code="DATABASE")
