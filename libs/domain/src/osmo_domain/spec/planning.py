"""From a checked spec to a plan: platforms, places for data, timeouts, tokens, in an order in which the groups can run.

The ids of a workflow are known last, and may have to be chosen again when two submissions want the same number. So a plan is first a
draft that says `{{workflow_id}}` and `{{uuid}}` wherever they belong, and gets them by replacing text in its JSON.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.errors import Rejected
from osmo_domain.plan import (
    CheckpointPlan,
    FilePlan,
    GroupPlan,
    InputPlan,
    OutputPlan,
    Plan,
    Resources,
    TaskPlan,
    TopologyAsk,
)
from osmo_domain.pool import Pool, Priority, WorkflowSettings
from osmo_domain.spec.dataset_plans import DatasetPlans
from osmo_domain.spec.model import (
    GroupSpec,
    InputSpec,
    OutputSpec,
    ResourceSpec,
    TaskSpec,
    TimeoutSpec,
    WorkflowSpec,
)
from osmo_domain.spec.storage_layout import one_file_pattern, task_data_url
from osmo_domain.spec.task_texts import TaskTexts
from osmo_domain.spec.tokens import UUID, WORKFLOW_ID
from osmo_domain.spec.tree import Node, refused

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Plan)


class Draft(Struct, frozen=True):
    """A plan that waits for its ids. `writes_ids` says that the user's own text holds them, and not only the places of data.

    `unserved` is why a workflow that is valid cannot run here: it may be validated, and not submitted.
    """

    plan: Plan
    writes_ids: bool = False
    warnings: tuple[str, ...] = ()
    unserved: Rejected | None = None


def encode_draft(draft: Draft) -> bytes:
    return _ENCODER.encode(draft.plan)


def put_ids(encoded: bytes, workflow_id: str, uuid: str) -> bytes:
    """The JSON of the plan, from that of a draft. Cheap: ids may be tried one after the other."""
    return encoded.replace(WORKFLOW_ID.encode(), workflow_id.encode()).replace(UUID.encode(), uuid.encode())


def decode_plan(encoded: bytes) -> Plan:
    return _DECODER.decode(encoded)


def make_draft(
    workflow: WorkflowSpec,
    resources: Mapping[str, ResourceSpec],
    upstreams: Mapping[str, tuple[str, ...]],
    pool: Pool,
    settings: WorkflowSettings,
    *,
    priority: Priority = Priority.NORMAL,
    labels: Mapping[str, str] | None = None,
) -> Draft:
    """`upstreams` gives the groups in their order (rules.upstream_groups); `resources` have their platforms (rules.resolve_resources)."""
    planner = _Planner(workflow, resources, upstreams, settings.data_url)
    by_name = {group.name: group for group in workflow.groups}
    groups = tuple(planner.group(by_name[name]) for name in upstreams)
    exec_timeout_s, queue_timeout_s = clamp_timeouts(workflow.timeout, pool, settings)
    plan = Plan(
        name=workflow.name,
        pool=pool.name,
        backend=pool.backend,
        groups=groups,
        priority=priority,
        exec_timeout_s=exec_timeout_s,
        queue_timeout_s=queue_timeout_s,
        start_timeout_s=settings.start_timeout_s,
        max_retry_per_task=settings.max_retry_per_task,
        default_exit_actions=pool.default_exit_actions,
        labels=dict(labels or {}),
    )
    warnings = (*planner.warnings, *planner.datasets.warnings)
    return Draft(plan, planner.writes_ids, warnings, planner.datasets.unserved)


def clamp_timeouts(timeout: TimeoutSpec | None, pool: Pool, settings: WorkflowSettings) -> tuple[float, float]:
    """Exec and queue timeout in seconds: what the spec says, else the pool, else the installation; never above their maxima."""
    exec_s = (timeout and timeout.exec_timeout) or pool.default_exec_timeout_s or settings.default_exec_timeout_s
    queue_s = (timeout and timeout.queue_timeout) or pool.default_queue_timeout_s or settings.default_queue_timeout_s
    return (
        min(exec_s, pool.max_exec_timeout_s or settings.max_exec_timeout_s),
        min(queue_s, pool.max_queue_timeout_s or settings.max_queue_timeout_s),
    )


class _Planner:
    """Plans the groups of one workflow, and remembers what their texts hold."""

    def __init__(
        self,
        workflow: WorkflowSpec,
        resources: Mapping[str, ResourceSpec],
        upstreams: Mapping[str, tuple[str, ...]],
        data_url: str,
    ) -> None:
        self.writes_ids = False
        self.warnings: list[str] = []
        self.datasets = DatasetPlans(workflow, data_url)
        self._resources = {name: _resources(one) for name, one in resources.items()}
        self._upstreams = upstreams
        self._feeding = _feeding(workflow)
        self._data_url = data_url

    def group(self, group: GroupSpec) -> GroupPlan:
        peers = [task.name for task in group.tasks]
        feeds = group.name in self._feeding
        return GroupPlan(
            name=group.name,
            tasks=tuple(self._task(task, peers, feeds) for task in group.tasks),
            upstreams=self._upstreams[group.name],
            barrier=group.barrier,
            ignore_nonlead_status=group.ignore_nonlead_status,
        )

    def _task(self, task: TaskSpec, peers: list[str], feeds: bool) -> TaskPlan:
        texts = TaskTexts(task, peers)
        plan = TaskPlan(
            name=task.name,
            image=texts.put(task.image),
            command=texts.put_all(task.command),
            args=texts.put_all(task.args),
            environment=texts.put_map(task.environment),
            files=tuple(FilePlan(texts.put(one.path), texts.put(one.contents), one.base64) for one in task.files),
            inputs=tuple(self._input(one, texts) for one in task.inputs),
            outputs=self._outputs(task, texts, feeds),
            checkpoints=tuple(
                CheckpointPlan(texts.put(one.path), texts.put(one.url), one.frequency, one.regex)
                for one in task.checkpoint
            ),
            credentials=task.credentials,
            exit_actions=task.exit_actions,
            resources=self._resources[task.resource],
            lead=task.lead,
            privileged=task.privileged,
            host_network=task.host_network,
            volume_mounts=texts.put_all(task.volume_mounts),
        )
        self.writes_ids = self.writes_ids or texts.writes_ids
        self.warnings += texts.warnings
        return plan

    def _input(self, given: InputSpec, texts: TaskTexts) -> InputPlan:
        if given.dataset is not None:
            return self.datasets.input(given, given.dataset, texts)
        if given.url:
            return InputPlan(url=texts.put(given.url), regex=given.regex)
        url = self._data_of(given.workflow or WORKFLOW_ID, given.task, given.source.at("task"))
        return InputPlan(url=url, regex=given.regex, task=given.task, workflow=given.workflow)

    def _outputs(self, task: TaskSpec, texts: TaskTexts, feeds: bool) -> tuple[OutputPlan, ...]:
        """The copy for other tasks, kept if there are such or if nothing else is kept; figures; then what the user asked for."""
        asked = tuple(self._asked(one, task.name, texts) for one in task.outputs)
        if not self._data_url:
            return asked
        kept = task_data_url(self._data_url, WORKFLOW_ID, task.name)
        if feeds or not asked:
            return (OutputPlan(url=kept, intermediate=True), *asked)
        figures = (OutputPlan(kept, one_file_pattern(texts.put(kpi.path)), intermediate=True) for kpi in task.kpis)
        return (*figures, *asked)

    def _asked(self, output: OutputSpec, task: str, texts: TaskTexts) -> OutputPlan:
        if not output.url:
            return self.datasets.output(output, task, texts)
        return OutputPlan(url=texts.put(output.url), regex=output.regex)

    def _data_of(self, workflow_id: str, task: str, node: Node) -> str:
        if not self._data_url:
            raise refused(
                node,
                "plan.no_storage",
                "This installation keeps no data of tasks (its `data_url` is not set), so none can be an input.",
            )
        return task_data_url(self._data_url, workflow_id, task)


def _resources(resource: ResourceSpec) -> Resources:
    return Resources(
        cpu=resource.cpu or 0,
        gpu=resource.gpu or 0,
        memory_bytes=resource.memory or 0,
        storage_bytes=resource.storage or 0,
        platform=resource.platform,
        nodes_excluded=resource.nodes_excluded,
        topology=tuple(
            TopologyAsk(each.key, each.group, required=each.requirement_type == "required")
            for each in resource.topology
        ),
    )


def _feeding(workflow: WorkflowSpec) -> set[str]:
    """The groups whose outputs are inputs of tasks of this workflow, as they are (and not as a dataset)."""
    group_of = {task.name: group.name for group in workflow.groups for task in group.tasks}
    return {
        group_of[given.task]
        for group in workflow.groups
        for task in group.tasks
        for given in task.inputs
        if given.task and not given.workflow and given.dataset is None
    }
