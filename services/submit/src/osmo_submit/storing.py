"""What a submission leaves behind: a workflow that will run, or one that says why it will not."""

import random
from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.errors import ErrorCode, Rejected
from osmo_domain.ids import derived_uuid, new_uuid, split_workflow_id
from osmo_domain.requests import SubmitRequest, Submitted
from osmo_domain.spec.planning import Draft, decode_plan, encode_draft, put_ids
from osmo_domain.spec.redact import redact
from osmo_domain.workflow.events import WorkflowRejected, WorkflowSubmitted
from osmo_service.clock import Clock
from osmo_submit.known import Known
from osmo_submit.recording import Recorder, Recording
from osmo_submit.texts import Texts
from osmo_submit.trail import Trail

LARGEST_INLINE_PLAN: Final = 32 * 1024


class Origin(Struct, frozen=True):
    """Where a workflow comes from, and the digests of the texts that people may read."""

    spec_blob: str = ""
    template_blob: str = ""
    parent_name: str = ""
    parent_number: int = 0
    app_uuid: str = ""
    app_version: int = 0


def submission_uuid(request: SubmitRequest, rng: random.Random) -> str:
    """The uuid of the workflow to be. With an idempotency key it follows from user and key, so that repetitions meet."""
    if request.idempotency_key:
        return derived_uuid("submission", request.user, request.idempotency_key)
    return new_uuid(rng)


class Storing:
    def __init__(self, recorder: Recorder, texts: Texts, known: Known, clock: Clock) -> None:
        self._recorder = recorder
        self._texts = texts
        self._known = known
        self._clock = clock

    async def earlier_answer(self, uuid: str) -> Submitted | None:
        """The answer that a keyed submission got when it came before. Raises the refusal, where that was it."""
        recording = await self._recorder.claimed(uuid)
        return _answer(recording) if recording is not None else None

    async def put_text(self, text: str, allowed: frozenset[str] = frozenset()) -> str:
        """The digest of a text that people may read: redacted, but for the words that are allowed."""
        return await self._texts.put(redact(text, allowed).encode())

    async def accept(self, draft: Draft, origin: Origin, trail: Trail) -> Submitted:
        """Append `workflow.submitted`; then it will run."""
        encoded = encode_draft(draft)
        submitted = WorkflowSubmitted(
            workflow_id="",
            uuid=trail.uuid,
            user=trail.user,
            at=self._clock.now(),
            draft_blob=await self._texts.put(encoded) if draft.writes_ids else "",
            spec_blob=origin.spec_blob,
            template_blob=origin.template_blob,
            parent_name=origin.parent_name,
            parent_number=origin.parent_number,
            app_uuid=origin.app_uuid,
            app_version=origin.app_version,
        )

        async def make(workflow_id: str) -> WorkflowSubmitted:
            plan = put_ids(encoded, workflow_id, trail.uuid)
            if len(plan) > LARGEST_INLINE_PLAN:
                digest = await self._texts.put(plan)
                return msgspec.structs.replace(submitted, workflow_id=workflow_id, plan_blob=digest)
            return msgspec.structs.replace(submitted, workflow_id=workflow_id, plan=decode_plan(plan))

        shard = self._known.shard(trail.pool)
        recording = await self._recorder.record(draft.plan.name, shard, make, keyed_by=_key(trail))
        return _answer(recording, draft.warnings)

    async def remember(self, refusal: Rejected, trail: Trail) -> None:
        """Append `workflow.rejected`: a workflow that is FAILED_SUBMISSION from the start."""
        rejected = WorkflowRejected(
            workflow_id="",
            uuid=trail.uuid,
            user=trail.user,
            pool=trail.pool.name,
            at=self._clock.now(),
            code=refusal.code,
            message=refusal.message,
            priority=trail.priority,
            spec_blob=await self.put_text(trail.rendered) if trail.rendered else "",
            labels=trail.labels,
            error_code=refusal.error_code,
        )

        async def make(workflow_id: str) -> WorkflowRejected:
            return msgspec.structs.replace(rejected, workflow_id=workflow_id)

        shard = self._known.shard(trail.pool)
        if trail.name and len(trail.name) <= self._known.settings.max_name_length:
            await self._recorder.record(trail.name, shard, make, keyed_by=_key(trail))
        else:
            await self._recorder.record_as(f"failed-{trail.uuid}", shard, make)


def _key(trail: Trail) -> str:
    return trail.uuid if trail.keyed else ""


def _answer(recording: Recording, warnings: tuple[str, ...] = ()) -> Submitted:
    event = recording.event
    if isinstance(event, WorkflowRejected):
        raise Rejected(
            event.code,
            event.message,
            error_code=msgspec.convert(event.error_code, ErrorCode),
            workflow_id=bare_name(recording.workflow_id),
        )
    return Submitted(recording.workflow_id, warnings=warnings, subject=recording.subject, seq=recording.seq)


def bare_name(workflow_id: str) -> str:
    """The name without the number; refusals call workflows by it."""
    split = split_workflow_id(workflow_id)
    return split[0] if split is not None else workflow_id
