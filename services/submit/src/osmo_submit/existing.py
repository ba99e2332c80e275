"""Requests about a workflow that runs or ran: cancelling and tagging."""

from collections.abc import Callable
from typing import Final

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.errors import Rejected, Stale, Transient
from osmo_domain.ids import derived_uuid
from osmo_domain.requests import CancelRequest, Done, TagRequest
from osmo_domain.workflow.events import WorkflowCancelRequested, WorkflowEvent, WorkflowTagged
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import WORKFLOW_FINISHED
from osmo_eventlog.ports import EventLog
from osmo_service.clock import Clock
from osmo_submit.known import Known
from osmo_submit.workflows import Loaded, Workflows

_MOST_TRIES: Final = 16


class Existing:
    def __init__(self, log: EventLog, workflows: Workflows, known: Known, clock: Clock) -> None:
        self._log = log
        self._workflows = workflows
        self._known = known
        self._clock = clock

    async def cancel(self, request: CancelRequest) -> Done:
        """Ask for the end of the workflow. Asking again changes nothing, unless now by force."""

        def decide(state: Workflow) -> WorkflowEvent | None:
            if state.status in WORKFLOW_FINISHED and not request.force:
                raise Rejected(
                    "cancel.finished", f"Workflow {state.workflow_id} has finished ({state.status}).", error_code="USER"
                )
            if state.cancel_requested_by and (state.cancel_forced or not request.force):
                return None
            return WorkflowCancelRequested(request.user, self._clock.now(), request.message, request.force)

        return await self._append(request.workflow_id, request.user, decide)

    async def tag(self, request: TagRequest) -> Done:
        """Change the tags of the workflow, among those that the installation knows."""
        if not request.add and not request.remove:
            raise Rejected("tag.nothing", "Name at least one tag to add or to remove.", error_code="USER")
        unknown = [tag for tag in request.add if tag not in self._known.settings.tags]
        if unknown:
            allowed = ", ".join(self._known.settings.tags) or "none"
            raise Rejected(
                "tag.unknown", f"There is no tag {', '.join(unknown)}; there is {allowed}.", error_code="USER"
            )

        def decide(state: Workflow) -> WorkflowEvent | None:
            del state
            return WorkflowTagged(self._clock.now(), request.add, request.remove)

        return await self._append(request.workflow_id, request.user, decide)

    async def _append(self, workflow_id: str, user: str, decide: Callable[[Workflow], WorkflowEvent | None]) -> Done:
        """Decide on the workflow as it is, and append behind exactly that; where it has moved on, decide again."""
        for _ in range(_MOST_TRIES):
            loaded = await self._workflows.load(workflow_id)
            event = decide(loaded.state)
            if event is None:
                return Done(workflow_id, loaded.subject, loaded.seq)
            try:
                return Done(workflow_id, loaded.subject, await self._append_behind(loaded, user, event))
            except Stale:
                continue
        raise Transient(f"workflow {workflow_id} changes too fast to be reached")

    async def _append_behind(self, loaded: Loaded, user: str, event: WorkflowEvent) -> int:
        commit = Commit(
            id=derived_uuid(loaded.state.uuid, str(loaded.seq), type(event).__name__, user),
            at=self._clock.now(),
            actor=user,
            events=[event],
        )
        return await self._log.append(loaded.subject, encode_commit(commit), message_id=commit.id, expected=loaded.seq)
