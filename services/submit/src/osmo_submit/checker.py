"""Checks a spec that has been read, step by step in the order of the reference, and makes its plan."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.errors import Rejected
from osmo_domain.label_policy import apply_policies
from osmo_domain.pool import Pool, Priority
from osmo_domain.spec.admission import admit, check_guarantee
from osmo_domain.spec.default_amounts import fill_in_amounts
from osmo_domain.spec.model import InputSpec, TaskSpec, WorkflowSpec
from osmo_domain.spec.planning import Draft, make_draft
from osmo_domain.spec.resource_rules import check_rules
from osmo_domain.spec.rules import (
    all_tasks,
    apply_environment,
    check_name_lengths,
    check_task_count,
    resolve_resources,
    upstream_groups,
)
from osmo_domain.spec.topology_rules import check_topology_sets
from osmo_domain.spec.tree import refused
from osmo_domain.workflow.state import Workflow
from osmo_domain.workflow.status import FINISHED
from osmo_eventlog.ports import Requests
from osmo_service.clock import Clock
from osmo_submit.credentials import check_users_credentials
from osmo_submit.known import Known
from osmo_submit.places import check_places
from osmo_submit.shared_storage import check_shared, without_lost_copies
from osmo_submit.trail import ALL, NONE, Trail
from osmo_submit.user_limits import Alive, check_pool_limit, check_user_limits
from osmo_submit.workflows import Workflows

ADMIN: Final = "osmo-admin"


class Terms(Struct, frozen=True):
    """On what terms a spec is to run. `alive` None: what is restarted is bound by no limit of the user and no policy of labels."""

    user: str
    pool: Pool
    priority: Priority = Priority.NORMAL
    roles: tuple[str, ...] = ()
    env_vars: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    alive: Alive | None = None


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
        fill_in_amounts(resources, pool)
        check_task_count(spec, min(settings.max_num_tasks, pool.max_num_tasks or settings.max_num_tasks))
        warnings = list(apply_policies(terms.labels, settings.labels_config)) if terms.alive is not None else []
        trail.remembered = ALL
        check_name_lengths(spec, settings.max_name_length)
        warnings += await self._check_earlier_workflows(spec)
        trail.remembered = NONE
        check_maintenance(pool, terms.roles)
        trail.remembered = ALL
        check_guarantee(spec, resources, pool, terms.priority)
        check_topology_sets(spec, resources)
        nodes = self._known.nodes(pool, self._clock.now())
        warnings += admit(spec, resources, pool, nodes)
        check_rules(spec, resources, pool, nodes)
        draft = make_draft(spec, resources, upstreams, pool, settings, priority=terms.priority, labels=terms.labels)
        runtime = self._known.runtime(pool)
        check_shared(draft.plan, runtime)
        plan = without_lost_copies(draft.plan, runtime)
        places = await check_places(self._requests, terms.user, plan)
        await check_users_credentials(self._requests, terms.user, spec)
        said = (*warnings, *draft.warnings, *places.warnings)
        return msgspec.structs.replace(draft, plan=plan, warnings=said, unserved=draft.unserved or places.unserved)

    def check_to_run(self, draft: Draft, terms: Terms, trail: Trail) -> None:
        """What matters only to a workflow that is really to run, and not to one that is validated."""
        if draft.unserved is not None:
            raise draft.unserved
        trail.remembered = NONE
        if terms.alive is not None:
            check_user_limits(terms.user, terms.alive, draft.plan, self._known.settings.user_workflow_limits)
            check_pool_limit(terms.pool, terms.alive)

    async def _check_earlier_workflows(self, spec: WorkflowSpec) -> list[str]:
        """What is taken from an earlier workflow must have ended there. Warnings where it kept nothing."""
        states: dict[str, Workflow] = {}
        warnings: list[str] = []
        for task in all_tasks(spec):
            for given in task.inputs:
                if given.workflow:
                    if given.workflow not in states:
                        states[given.workflow] = (await self._workflows.load(given.workflow)).state
                    _check_earlier_task(task, given, states[given.workflow])
                    warnings += _kept_nothing(given, states[given.workflow])
        return warnings


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


def _kept_nothing(given: InputSpec, state: Workflow) -> list[str]:
    """A task that only wrote to places of its own, and fed no other, kept no copy that others could take."""
    if state.plan is None or given.dataset is not None:
        return []
    if any(output.intermediate and not output.regex for output in state.task_plan(given.task).outputs):
        return []
    return [f"Task {given.task} of {given.workflow} kept no copy of its output: the input from it will be empty."]
