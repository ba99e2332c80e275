"""A submission of a file: from the text to the answer, in the order of the reference (spec 1.22)."""

import random
from typing import Final

from osmo_domain.errors import Rejected
from osmo_domain.pool import Pool
from osmo_domain.requests import SubmitRequest, Submitted
from osmo_domain.spec.document import dump_document, read_document, read_labels, read_spec, written_name
from osmo_domain.spec.model import WorkflowSpec
from osmo_domain.spec.rules import all_tasks, group_tasks
from osmo_domain.spec.sections import split_sections
from osmo_domain.spec.tokens import has_jinja
from osmo_domain.spec.variables import section_variables
from osmo_submit.checker import Checker, Terms
from osmo_submit.known import Known
from osmo_submit.ports import Renderer
from osmo_submit.storing import Origin, Storing, submission_uuid
from osmo_submit.trail import ALL, NONE, USAGE_ONLY, Trail, place_in_file
from osmo_submit.user_limits import Alive

VALIDATED: Final = "Workflow validation succeeded."


class Submissions:
    def __init__(
        self, known: Known, renderer: Renderer, checker: Checker, storing: Storing, rng: random.Random
    ) -> None:
        self._known = known
        self._renderer = renderer
        self._checker = checker
        self._storing = storing
        self._rng = rng

    async def submit(self, request: SubmitRequest) -> Submitted:
        """Dry run, validation or submission. A refusal says where, and is remembered where the reference does."""
        pool = await self._known.pool(request.pool)
        stores = not request.dry_run and not request.validation_only
        trail = Trail(
            user=request.user,
            pool=pool,
            uuid=submission_uuid(request, self._rng),
            keyed=stores and bool(request.idempotency_key),
            priority=request.priority,
        )
        if trail.keyed and (earlier := await self._storing.earlier_answer(trail.uuid)) is not None:
            return earlier
        try:
            return await self._submit(request, trail)
        except Rejected as refusal:
            await self._tell(refusal, request, trail)
            raise

    async def _submit(self, request: SubmitRequest, trail: Trail) -> Submitted:
        trail.rendered = await self._render(request, trail)
        trail.remembered = ALL
        trail.root = root = read_document(trail.rendered)
        trail.name = written_name(root)
        trail.remembered = NONE
        trail.labels = read_labels(root, request.labels)
        if request.dry_run:
            return Submitted(trail.name, spec=dump_document(root, trail.labels))
        trail.remembered = USAGE_ONLY
        spec = read_spec(root)
        group_tasks(spec)
        terms = terms_of(request, trail.pool, trail.labels)
        draft = await self._checker.check(spec, terms, trail)
        if request.validation_only:
            return Submitted(spec.name, logs=VALIDATED, warnings=draft.warnings)
        self._checker.check_to_run(draft, terms, trail)
        return await self._storing.accept(draft, await self._origin(request, spec, trail), trail)

    async def _render(self, request: SubmitRequest, trail: Trail) -> str:
        """The `workflow` section as YAML. Without Jinja in it, it is that already."""
        text = request.file or ""
        most = self._known.settings.max_spec_bytes
        if len(text) > most:
            raise Rejected("spec.too_large", f"The spec has {len(text)} characters; {most} are allowed.")
        trail.sections = sections = split_sections(text)
        trail.templated = has_jinja(sections.workflow.text)
        if not trail.templated:
            section_variables(sections, request.set_variables, request.set_string_variables)
            return sections.workflow.text
        rendered = await self._renderer.render(sections, request.set_variables, request.set_string_variables)
        if len(rendered) > most:
            raise Rejected("spec.too_large", f"The rendered spec has {len(rendered)} characters; {most} are allowed.")
        return rendered

    async def _origin(self, request: SubmitRequest, spec: WorkflowSpec, trail: Trail) -> Origin:
        allowed = credential_words(spec)
        template = request.uploaded_templated_spec or (request.file if trail.templated else None)
        return Origin(
            spec_blob=await self._storing.put_text(trail.rendered or "", allowed),
            template_blob=await self._storing.put_text(template, allowed) if template else "",
            app_uuid=request.app_uuid,
            app_version=request.app_version,
        )

    async def _tell(self, refusal: Rejected, request: SubmitRequest, trail: Trail) -> None:
        """Give the refusal its place in the file and its workflow, and remember it."""
        remembered = refusal.error_code in trail.remembered and not request.dry_run
        place_in_file(refusal, trail, await self._trace(refusal, request, trail))
        if trail.rendered is not None:
            refusal.workflow_id = trail.failed_name
        if remembered:
            await self._storing.remember(refusal, trail)

    async def _trace(self, refusal: Rejected, request: SubmitRequest, trail: Trail) -> list[int]:
        """Where the lines of a rendered text came from; asked only for a refusal that has a place in it."""
        if not trail.templated or trail.rendered is None or trail.sections is None or refusal.line is None:
            return []
        try:
            return await self._renderer.trace(trail.sections, request.set_variables, request.set_string_variables)
        except Rejected:
            return []


def terms_of(request: SubmitRequest, pool: Pool, labels: dict[str, str]) -> Terms:
    alive = Alive(request.alive_workflows, request.alive_tasks, request.pool_alive_workflows)
    return Terms(request.user, pool, request.priority, request.roles, request.env_vars, labels, alive)


def credential_words(spec: WorkflowSpec) -> frozenset[str]:
    """Names of credentials and of their keys: they look like secrets and are none."""
    words: set[str] = set()
    for task in all_tasks(spec):
        for name, use in task.credentials.items():
            words.add(name)
            if isinstance(use, dict):
                words.update(use, use.values())
    return frozenset(words)
