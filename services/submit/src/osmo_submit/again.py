"""Running a workflow again from its plan: all of it under a new submission (`submit <id>`), or what failed (`restart`).

The plan and not the stored text is the source: the text is redacted, and would run with masks in place of what it hid.
"""

import random

from osmo_domain.errors import Rejected
from osmo_domain.ids import new_uuid, split_workflow_id
from osmo_domain.labels import check_labels, parse_label_options
from osmo_domain.requests import RestartRequest, SubmitRequest, Submitted
from osmo_domain.spec.again import keep_groups, spec_again
from osmo_domain.spec.model import WorkflowSpec
from osmo_domain.workflow.status import FAILED, WORKFLOW_FAILED
from osmo_submit.checker import Checker, Terms
from osmo_submit.known import Known
from osmo_submit.storing import Origin, Storing, submission_uuid
from osmo_submit.submission import VALIDATED, terms_of
from osmo_submit.texts import Texts
from osmo_submit.trail import Trail
from osmo_submit.workflows import Loaded, Workflows


class Again:
    def __init__(
        self,
        known: Known,
        workflows: Workflows,
        checker: Checker,
        storing: Storing,
        texts: Texts,
        rng: random.Random,
    ) -> None:
        self._known = known
        self._workflows = workflows
        self._checker = checker
        self._storing = storing
        self._texts = texts
        self._rng = rng

    async def resubmit(self, request: SubmitRequest) -> Submitted:
        """A new submission of an earlier workflow, with its labels; those of the command line go over them."""
        pool = await self._known.pool(request.pool)
        stores = not request.dry_run and not request.validation_only
        uuid = submission_uuid(request, self._rng)
        keyed = stores and bool(request.idempotency_key)
        if keyed and (earlier := await self._storing.earlier_answer(uuid)) is not None:
            return earlier
        source = await self._workflows.load(request.source_workflow_id)
        spec = spec_again(await self._workflows.draft_of(source), pool)
        labels = {**source.state.labels, **parse_label_options(request.labels)}
        check_labels(labels)
        if request.dry_run:
            return Submitted(spec.name, spec=await self._text_of(source))
        trail = Trail(request.user, pool, uuid, keyed, request.priority, name=spec.name, labels=labels)
        terms = terms_of(request, pool, labels)
        return await self._submit(spec, source, terms, trail, validate_only=request.validation_only)

    async def restart(self, request: RestartRequest) -> Submitted:
        """The failed groups again, as a new workflow that takes from the old one what that had made. For failed workflows only."""
        pool = await self._known.pool(request.pool)
        source = await self._workflows.load(request.workflow_id)
        state = source.state
        if state.status not in WORKFLOW_FAILED:
            raise Rejected(
                "restart.not_failed",
                f"Workflow {state.workflow_id} is {state.status}; only one that failed can be restarted.",
                error_code="SUBMISSION",
            )
        spec = spec_again(await self._workflows.draft_of(source), pool)
        failed = {group.name for group in state.groups.values() if group.status in FAILED}
        keep_groups(spec, failed, state.workflow_id)
        trail = Trail(
            request.user, pool, new_uuid(self._rng), priority=state.priority, name=spec.name, labels=state.labels
        )
        terms = Terms(request.user, pool, state.priority, request.roles, labels=state.labels)
        return await self._submit(spec, source, terms, trail)

    async def _submit(
        self, spec: WorkflowSpec, source: Loaded, terms: Terms, trail: Trail, *, validate_only: bool = False
    ) -> Submitted:
        try:
            draft = await self._checker.check(spec, terms, trail)
            if not validate_only:
                self._checker.check_to_run(draft, terms, trail)
        except Rejected as refusal:
            refusal.line = refusal.column = None
            refusal.workflow_id = trail.failed_name
            if refusal.error_code in trail.remembered:
                await self._storing.remember(refusal, trail)
            raise
        if validate_only:
            return Submitted(spec.name, logs=VALIDATED, warnings=draft.warnings)
        return await self._storing.accept(draft, origin_of(source), trail)

    async def _text_of(self, source: Loaded) -> str:
        digest = source.state.spec_blob
        return (await self._texts.get(digest)).decode() if digest else ""


def origin_of(source: Loaded) -> Origin:
    name, number = split_workflow_id(source.state.workflow_id) or (source.state.workflow_id, 0)
    return Origin(
        spec_blob=source.state.spec_blob,
        template_blob=source.state.template_blob,
        parent_name=name,
        parent_number=number,
        app_uuid=source.state.app_uuid,
        app_version=source.state.app_version,
    )
