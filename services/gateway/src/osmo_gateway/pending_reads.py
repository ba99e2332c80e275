"""Why groups wait, asked of the scheduler that decides for the workflow: nobody else knows what is free now."""

from typing import Final

import msgspec
from msgspec import Raw

from osmo_domain.errors import Transient
from osmo_domain.requests import ExplainPending, PendingExplained
from osmo_domain.workflow.status import PRESCHEDULING, WORKFLOW_ALIVE
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import scheduler_questions
from osmo_views.rows import WorkflowDetail, WorkflowRow

_ENCODER: Final = msgspec.json.Encoder()
_ANSWER: Final = msgspec.json.Decoder(PendingExplained)
_AT_ONCE_S: Final = 0.3
"""A query is answered without reasons rather than late."""
_PATIENT_S: Final = 20.0


def may_wait(detail: WorkflowDetail) -> bool:
    """Something of this workflow waits, as far as the read model knows. Nobody is asked about the others."""
    return detail.workflow.status in WORKFLOW_ALIVE and any(
        attempt.status in PRESCHEDULING for attempt in detail.attempts
    )


class PendingReads:
    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def reasons_at_once(self, workflow: WorkflowRow) -> dict[str, Raw]:
        """Why each group waits, by name; nothing where the scheduler is away or busy."""
        try:
            return await self._ask(workflow, changes=False, timeout_s=_AT_ONCE_S)
        except Transient:
            return {}

    async def reasons(self, workflow: WorkflowRow) -> dict[str, Raw]:
        """The same with what would start it now. Transient where the scheduler does not answer."""
        return await self._ask(workflow, changes=True, timeout_s=_PATIENT_S)

    async def _ask(self, workflow: WorkflowRow, *, changes: bool, timeout_s: float) -> dict[str, Raw]:
        question = _ENCODER.encode(ExplainPending(workflow.workflow_id, changes=changes))
        data = await self._requests.ask(scheduler_questions(workflow.shard), question, timeout_s=timeout_s)
        return {name: Raw(_ENCODER.encode(reason)) for name, reason in _ANSWER.decode(data).reasons.items()}
