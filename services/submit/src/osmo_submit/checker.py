"""Checks a spec that has been read, step by step in the order of the reference, and makes its plan."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.errors import Rejected
from osmo_domain.plan import Plan
from osmo_domain.pool import Pool, Priority
from osmo_domain.requests import CheckData, DataChecked
from osmo_domain.spec.admission import admit, check_guarantee
from osmo_domain.spec.model import InputSpec, TaskSpec, WorkflowSpec
from osmo_domain.spec.planning import Draft, make_draft
from osmo_domain.spec.rules import (
    all_tasks,
    apply_environment,
    check_name_lengths,
    check_task_count,
    resolve_resources,
    upstream_groups,
)
from osmo_domain.spec.tree import refused
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import FINISHED
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import DATA_QUESTIONS
from osmo_service.clock import Clock
from osmo_submit.known import Known
from osmo_submit.trail import ALL, NONE, Trail
from osmo_submit.workflows import Workflows

ADMIN: Final = "osmo-admin"
_DATA_WITHIN_S: Final = 10.0
_QUESTION: Final = msgspec.json.Encoder()
_ANSWER: Final = msgspec.json.Decoder(DataChecked)


class Terms(Struct, frozen=True):
    """On what terms a spec is to run."""

    user: str
    pool: Pool
    priority: Priority = Priority.NORMAL
    roles: tuple[str, ...] = ()
    env_vars: tuple[str, ...] = ()
    labels: dict[str, str] = {}


class Checker:
    def __init__(self, known: Known, workflows: Workflows, requests: Requests, clock: Clock) -> None:
        self._known = known
        self._workflows = workflows
        self._requests = requests
        self._clock = clock

    async def check(self, spec: WorkflowSpec, terms: Terms, trail: Trail) -> Draft:
        """The draft of its plan. `trail` is told before each step whether a refusal of it is remembered."""
        pool, settings = terms.pool, self._known.settings
        trail.remembered = NONE
        apply_environment(spec, terms.env_vars)
        upstreams = upstream_groups(spec)
        resources = resolve_resources(spec, pool)
        check_task_count(spec, settings.max_num_tasks)
        trail.remembered = ALL
        check_name_lengths(spec, settings.max_name_length)
        await self._check_earlier_workflows(spec)
        trail.remembered = NONE
        check_maintenance(pool, terms.roles)
        trail.remembered = ALL
        check_guarantee(spec, resources, pool, terms.priority)
        warnings = admit(spec, resources, pool, self._known.nodes(pool, self._clock.now()))
        draft = make_draft(spec, resources, upstreams, pool, settings, priority=terms.priority, labels=terms.labels)
        await self._check_data(terms.user, draft.plan)
        return msgspec.structs.replace(draft, warnings=(*warnings, *draft.warnings))

    async def _check_earlier_workflows(self, spec: WorkflowSpec) -> None:
        """What is taken from an earlier workflow must have ended there."""
        states: dict[str, Workflow] = {}
        for task in all_tasks(spec):
            for given in task.inputs:
                if given.workflow:
                    if given.workflow not in states:
                        states[given.workflow] = (await self._workflows.load(given.workflow)).state
                    _check_earlier_task(task, given, states[given.workflow])

    async def _check_data(self, user: str, plan: Plan) -> None:
        uris = tuple(dict.fromkeys(_uris(plan)))
        if not uris:
            return
        question = _QUESTION.encode(CheckData(user, uris))
        answer = _ANSWER.decode(await self._requests.ask(DATA_QUESTIONS, question, timeout_s=_DATA_WITHIN_S))
        for uri, problem in answer.problems.items():
            raise Rejected("data.no_access", f"{uri}: {problem}", error_code="CREDENTIAL")


def check_maintenance(pool: Pool, roles: Iterable[str]) -> None:
    if pool.enable_maintenance and ADMIN not in roles:
        raise Rejected("submit.maintenance", f"Pool {pool.name} is under maintenance.", error_code="USAGE")


def _check_earlier_task(task: TaskSpec, given: InputSpec, state: Workflow) -> None:
    producer = state.tasks.get(given.task)
    node = given.source.at("task")
    if producer is None:
        raise refused(
            node, "spec.unknown_earlier_task", f"Workflow {given.workflow} has no task {given.task}.", "DATABASE"
        )
    if producer.status not in FINISHED:
        raise refused(
            node,
            "spec.unfinished_earlier_task",
            f"Task {task.name} takes its input from {given.workflow}:{given.task}, which has not finished ({producer.status}).",
            "SUBMISSION",
        )


def _uris(plan: Plan) -> Iterable[tuple[str, str]]:
    """The places that the user's own text names, and what is done there."""
    for group in plan.groups:
        for task in group.tasks:
            yield from ((given.url, "READ") for given in task.inputs if given.url and not given.task)
            yield from ((output.url, "WRITE") for output in task.outputs if not output.intermediate)
