"""From a checked spec to a plan: order, platforms, places for data, tokens, timeouts; and back again for running once more."""

from datetime import UTC, datetime
from typing import Any

import pytest

from osmo_domain.cluster import NodeFact, Taint
from osmo_domain.errors import Rejected
from osmo_domain.plan import InputPlan, OutputPlan, Plan
from osmo_domain.pool import GpuQuota, Platform, Pool, Priority, WorkflowSettings
from osmo_domain.spec.admission import admit, check_guarantee
from osmo_domain.spec.again import keep_groups, spec_again
from osmo_domain.spec.document import read_document, read_spec
from osmo_domain.spec.model import WorkflowSpec
from osmo_domain.spec.planning import Draft, decode_plan, encode_draft, make_draft, put_ids
from osmo_domain.spec.rules import apply_environment, group_tasks, resolve_resources, upstream_groups

POOL = Pool(
    name="lab",
    backend="cluster-1",
    default_platform="cpu",
    platforms={
        "cpu": Platform(),
        "a100": Platform(
            labels={"gpu": "a100"}, privileged_allowed=True, allowed_mounts=("/data",), default_mounts=("/nfs",)
        ),
    },
    gpu=GpuQuota(guarantee=16),
)
SETTINGS = WorkflowSettings(data_url="file:///store/")
GI = 2**30


def spec_of(text: str) -> WorkflowSpec:
    spec = read_spec(read_document(text))
    group_tasks(spec)
    return spec


def draft_of(spec: WorkflowSpec, pool: Pool = POOL, settings: WorkflowSettings = SETTINGS) -> Draft:
    return make_draft(spec, resolve_resources(spec, pool), upstream_groups(spec), pool, settings)


def plan_of(text: str, **kwargs: Any) -> Plan:
    return decode_plan(put_ids(encode_draft(draft_of(spec_of(text), **kwargs)), "pipe-7", "f" * 32))


PIPELINE = """
workflow:
  name: pipe
  tasks:
  - name: last
    image: alpine
    command: [cat, "{{input:0}}/f", "{{input:middle}}", "{{input:1}}"]
    inputs: [{task: middle, regex: '.*[.]txt'}, {url: "s3://b/{{workflow_id}}"}]
    outputs: [{url: "s3://b/out-{{ uuid }}"}]
  - name: first
    image: alpine
    command: sh -c 'echo hi > {{output}}/f'
  - name: middle
    image: alpine
    command: [cp]
    environment: {WHERE: "{{output}}", KEEP: yes, N: 1}
    inputs: [{task: first}]
    outputs: [{url: "s3://b/mid"}]
"""


def test_producers_may_stand_behind_their_consumers() -> None:
    plan = plan_of(PIPELINE)
    assert [(group.name, group.upstreams) for group in plan.groups] == [
        ("first-group", ()),
        ("middle-group", ("first-group",)),
        ("last-group", ("middle-group",)),
    ]


def test_data_goes_from_task_to_task_and_where_the_user_said() -> None:
    first, middle, last = (group.tasks[0] for group in plan_of(PIPELINE).groups)
    assert first.outputs == (OutputPlan("file:///store/pipe-7/first", intermediate=True),)
    assert middle.inputs == (InputPlan("file:///store/pipe-7/first", task="first"),)
    assert middle.outputs == (OutputPlan("file:///store/pipe-7/middle", intermediate=True), OutputPlan("s3://b/mid"))
    assert last.inputs == (
        InputPlan("file:///store/pipe-7/middle", ".*[.]txt", task="middle"),
        InputPlan("s3://b/pipe-7"),
    )
    assert last.outputs == (OutputPlan(f"s3://b/out-{'f' * 32}"),)


def test_tokens_and_texts_of_a_task() -> None:
    first, middle, last = (group.tasks[0] for group in plan_of(PIPELINE).groups)
    assert first.command == ("sh", "-c", "echo hi > /osmo/data/output/f")
    assert middle.environment == {"WHERE": "/osmo/data/output", "KEEP": "True", "N": "1"}
    assert last.command == ("cat", "/osmo/data/input/0/f", "/osmo/data/input/0", "/osmo/data/input/1")


def test_only_ids_in_the_users_own_text_need_a_draft() -> None:
    assert draft_of(spec_of(PIPELINE)).writes_ids
    plain = PIPELINE.replace("{{workflow_id}}", "x").replace("{{ uuid }}", "x")
    assert not draft_of(spec_of(plain)).writes_ids


def test_tokens_that_lead_nowhere_stay_and_are_warned_about() -> None:
    text = """
workflow:
  name: gang
  groups:
  - name: pair
    tasks:
    - {name: a, lead: true, image: alpine, command: [x, "{{host:b}}", "{{host:elsewhere}}", "{{input:0}}"]}
    - {name: b, image: alpine, command: [x]}
"""
    draft = draft_of(spec_of(text))
    assert draft.plan.groups[0].tasks[0].command[1:] == ("{{host:b}}", "{{host:elsewhere}}", "{{input:0}}")
    assert [warning.split(":")[0] for warning in draft.warnings] == ["Task a says {{host", "Task a says {{input"]


def test_set_env_goes_over_the_spec_and_keeps_equals_signs() -> None:
    spec = spec_of(PIPELINE)
    apply_environment(spec, ["WHERE=x=y"])
    assert {task.tasks[0].environment["WHERE"] for task in draft_of(spec).plan.groups} == {"x=y"}


@pytest.mark.parametrize(
    ("written", "pool", "expected"),
    [
        ("", {}, (60 * 86400.0, 60 * 86400.0)),
        ("{exec_timeout: 1h, queue_timeout: 5}", {}, (3600.0, 5.0)),
        ("{exec_timeout: 0}", {"default_exec_timeout_s": 10.0}, (10.0, 60 * 86400.0)),
        ("{exec_timeout: 99d}", {}, (60 * 86400.0, 60 * 86400.0)),
        ("{exec_timeout: 2h}", {"max_exec_timeout_s": 60.0}, (60.0, 60 * 86400.0)),
    ],
)
def test_timeouts_have_defaults_and_are_clamped(
    written: str, pool: dict[str, Any], expected: tuple[float, float]
) -> None:
    timeout = f"  timeout: {written}\n" if written else ""
    text = f"workflow:\n  name: w\n{timeout}  tasks:\n  - {{name: a, image: alpine, command: [x]}}\n"
    plan = plan_of(text, pool=Pool(name="p", backend="b", default_platform="d", platforms={"d": Platform()}, **pool))
    assert (plan.exec_timeout_s, plan.queue_timeout_s) == expected


def test_figures_are_kept_for_a_task_whose_output_is_not() -> None:
    text = """
workflow:
  name: w
  tasks:
  - {name: a, image: alpine, command: [x], outputs: [{url: "s3://b/x"}], kpis: [{index: 1, path: sub/k.json}]}
"""
    task = plan_of(text).groups[0].tasks[0]
    assert task.outputs[0] == OutputPlan("file:///store/pipe-7/a", r"sub/k\.json$", intermediate=True)


def test_without_storage_of_its_own_an_installation_takes_no_task_inputs() -> None:
    with pytest.raises(Rejected) as refusal:
        plan_of(PIPELINE, settings=WorkflowSettings())
    assert (refusal.value.code, refusal.value.error_code) == ("plan.no_storage", "USAGE")


def test_what_runs_again_is_the_same_plan_with_new_ids() -> None:
    draft = draft_of(spec_of(PIPELINE))
    again = draft_of(spec_again(draft.plan, POOL))
    assert again.plan == draft.plan
    assert again.writes_ids


def test_a_restart_takes_what_succeeded_from_the_old_workflow() -> None:
    spec = spec_again(plan_of(PIPELINE), POOL)
    keep_groups(spec, {"middle-group", "last-group"}, "pipe-7")
    plan = draft_of(spec).plan
    assert [group.name for group in plan.groups] == ["middle-group", "last-group"]
    assert plan.groups[0].upstreams == ()
    assert plan.groups[0].tasks[0].inputs == (InputPlan("file:///store/pipe-7/first", task="first", workflow="pipe-7"),)
    assert plan.groups[1].tasks[0].inputs[0] == InputPlan(
        "file:///store/{{workflow_id}}/middle", ".*[.]txt", task="middle"
    )


def ask(resource: str, extra: str = "") -> WorkflowSpec:
    return spec_of(
        f"workflow:\n  name: w\n  resources: {{default: {resource}}}\n  tasks:\n  - {{name: a, image: alpine, command: [x]{extra}}}\n"
    )


def node(name: str, **amounts: Any) -> NodeFact:
    return NodeFact(name=name, at=datetime(2026, 1, 1, tzinfo=UTC), **amounts)


NODES = [
    node("small", cpu=4, memory_bytes=8 * GI, storage_bytes=100 * GI),
    node("gpus", cpu=32, gpu=8, used_gpu=2, memory_bytes=4 * GI, storage_bytes=100 * GI, labels={"gpu": "a100"}),
    node("kept", cpu=99, taints=(Taint("mine", effect="NoSchedule"),)),
]


def admitted(spec: WorkflowSpec, nodes: list[NodeFact] = NODES) -> list[str]:
    return admit(spec, resolve_resources(spec, POOL), POOL, nodes)


@pytest.mark.parametrize("resource", ["{}", "{cpu: 32}", "{gpu: 6, platform: a100}", "{memory: 8Gi, cpu: 4}"])
def test_what_fits_some_node_is_admitted(resource: str) -> None:
    assert admitted(ask(resource)) == []


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ("{cpu: 33}", "33 CPUs; the largest that a node of platform cpu can give is 32 CPUs"),
        ("{gpu: 7, platform: a100}", "7 GPUs; the largest that a node of platform a100 can give is 6 GPUs"),
        ("{memory: 9Gi}", "9Gi of memory; the largest that a node of platform cpu can give is 8Gi"),
        ("{memory: 8Gi, cpu: 32}", "no node of platform cpu has them together"),
    ],
)
def test_what_fits_no_node_is_refused_with_the_largest_that_would(resource: str, said: str) -> None:
    with pytest.raises(Rejected, match=said) as refusal:
        admitted(ask(resource))
    assert (refusal.value.code, refusal.value.error_code) == ("admission.too_large", "RESOURCE")


def test_while_no_node_is_known_everything_queues_and_is_told_so() -> None:
    (warning,) = admitted(ask("{cpu: 1000}"), [])
    assert warning.startswith("No node of platform cpu of pool lab is there now")


def test_excluding_every_node_that_fits_is_warned_about() -> None:
    assert "excludes" in admitted(ask("{cpu: 9, nodesExcluded: [gpus]}"))[0]


@pytest.mark.parametrize(
    ("resource", "extra", "code", "error_code"),
    [
        ("{cpu: -1}", "", "admission.negative", "USER"),
        ("{platform: h100}", "", "admission.platform", "RESOURCE"),
        ("{}", ", privileged: true", "admission.privilege", "RESOURCE"),
        ("{platform: a100}", ", hostNetwork: true", "admission.privilege", "RESOURCE"),
        ("{platform: a100}", ", volumeMounts: ['/nfs']", "admission.mount", "RESOURCE"),
        ("{platform: a100}", ", volumeMounts: ['/etc:/x']", "admission.mount", "RESOURCE"),
        ("{platform: a100}", ", volumeMounts: ['/data:']", "admission.mount", "RESOURCE"),
        ("{platform: a100}", ", volumeMounts: ['/data:/a:/b']", "admission.mount", "RESOURCE"),
    ],
)
def test_what_a_platform_does_not_allow_is_refused(resource: str, extra: str, code: str, error_code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        admitted(ask(resource, extra))
    assert (refusal.value.code, refusal.value.error_code) == (code, error_code)


def test_what_a_platform_allows_is_admitted() -> None:
    assert admitted(ask("{platform: a100}", ", privileged: true, volumeMounts: ['/data', '/data:/d']")) == []


def test_only_low_priority_goes_beyond_the_guarantee() -> None:
    spec = ask("{gpu: 17}")
    resources = resolve_resources(spec, POOL)
    check_guarantee(spec, resources, POOL, Priority.LOW)
    with pytest.raises(Rejected) as refusal:
        check_guarantee(spec, resources, POOL, Priority.HIGH)
    assert (refusal.value.code, refusal.value.error_code) == ("admission.guarantee", "USAGE")


@pytest.mark.parametrize("priority", Priority)
def test_nothing_goes_beyond_the_maximum(priority: Priority) -> None:
    pool = Pool("lab", "b", default_platform="cpu", platforms={"cpu": Platform()}, gpu=GpuQuota(4, 8))
    spec = ask("{gpu: 9}")
    with pytest.raises(Rejected) as refusal:
        check_guarantee(spec, resolve_resources(spec, pool), pool, priority)
    assert (refusal.value.code, refusal.value.error_code) == ("admission.maximum", "USAGE")
