"""Datasets in a spec: names, edges, handing on within a workflow, and what is valid but cannot run without dataset storage."""

import re
from typing import Any

import pytest

from osmo_domain.errors import Rejected
from osmo_domain.plan import DatasetUse, InputPlan, OutputPlan, Plan
from osmo_domain.pool import Platform, Pool, WorkflowSettings
from osmo_domain.spec.again import keep_groups, spec_again
from osmo_domain.spec.datasets import DatasetRef, parse_reference
from osmo_domain.spec.document import read_document, read_spec
from osmo_domain.spec.model import WorkflowSpec
from osmo_domain.spec.planning import Draft, decode_plan, encode_draft, make_draft, put_ids
from osmo_domain.spec.rules import group_tasks, resolve_resources, upstream_groups

POOL = Pool(name="p", backend="b", default_platform="d", platforms={"d": Platform()})
SETTINGS = WorkflowSettings(data_url="file:///store")

THREE_GROUPS = """
workflow:
  name: w
  groups:
  - name: one
    tasks:
    - {name: t1, lead: true, image: i, command: [x]}
    - {name: t2, image: i, command: [x], outputs: [{dataset: {name: ds, path: made, regex: ".*[.]txt"}}]}
  - name: two
    tasks:
    - {name: t4, image: i, command: [x], inputs: [{dataset: {name: ds, regex: "a.*"}}]}
  - name: three
    tasks:
    - {name: t5, lead: true, image: i, command: [x], inputs: [{dataset: ds}]}
    - {name: t6, image: i, command: [x]}
"""


def spec_of(text: str) -> WorkflowSpec:
    spec = read_spec(read_document(text))
    group_tasks(spec)
    return spec


def draft_of(spec: WorkflowSpec, settings: WorkflowSettings = SETTINGS) -> Draft:
    return make_draft(spec, resolve_resources(spec, POOL), upstream_groups(spec), POOL, settings)


def plan_of(spec: WorkflowSpec) -> Plan:
    return decode_plan(put_ids(encode_draft(draft_of(spec)), "w-7", "f" * 32))


def tasks(*entries: str) -> WorkflowSpec:
    lines = [f"  - {{name: t{number}, image: i, command: [x], {entry}}}" for number, entry in enumerate(entries)]
    return spec_of("workflow:\n  name: w\n  tasks:\n" + "\n".join(lines) + "\n")


def reads(name: str) -> str:
    return f"inputs: [{{dataset: {{name: '{name}'}}}}]"


def writes(name: str) -> str:
    return f"outputs: [{{dataset: {{name: '{name}'}}}}]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ds", DatasetRef("", "ds")),
        ("team/ds", DatasetRef("team", "ds")),
        ("team/ds:v1", DatasetRef("team", "ds", "v1")),
        ("ds:3", DatasetRef("", "ds", "3")),
        ("ds:", DatasetRef("", "ds")),
        ("-_0", DatasetRef("", "-_0")),
        ("b/r:{{workflow_id}}", DatasetRef("b", "r", "{{workflow_id}}")),
        ("r-{{uuid}}-x", DatasetRef("", "r-{{uuid}}-x")),
        ("", None),
        ("a/b/c", None),
        ("a:b:c", None),
        ("a.b", None),
        ("a b", None),
        ("/ds", None),
        ("{{other}}", None),
        ("ds:v1\n", None),
    ],
)
def test_names(text: str, expected: DatasetRef | None) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize("text", ["ds", "team/ds", "team/ds:v1", "ds:3"])
def test_a_reference_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (reads("a b"), "spec.dataset_name"),
        ("inputs: [{dataset: {}}]", "spec.missing_key"),
        ("inputs: [{dataset: [ds]}]", "spec.type"),
        ("inputs: [{dataset: {name: ds, regexp: x}}]", "spec.unknown_key"),
        ("inputs: [{dataset: {name: ds}, regex: x}]", "spec.kind"),
        ("inputs: [{dataset: {name: ds}, url: 's3://b'}]", "spec.kind"),
        ("inputs: [{dataset: {name: ds, regex: '('}}]", "spec.regex"),
        ("outputs: [{dataset: {name: ds, path: /abs}}]", "spec.dataset_path"),
        ("outputs: [{dataset: {name: ds, path: ../up}}]", "spec.dataset_path"),
        ("outputs: [{dataset: {name: ds, metadata: ['a,b']}}]", "spec.dataset_path"),
        ("outputs: [{update_dataset: {name: ds, regex: x}}]", "spec.unknown_key"),
        ("outputs: [{update_dataset: {name: ds, paths: ['/x']}}]", "spec.dataset_path"),
        ("outputs: [{dataset: }]", "spec.kind"),
        ("outputs: [{update_dataset: null}]", "spec.kind"),
        ("inputs: [{task: ''}]", "spec.task_reference"),
        ("inputs: [{url: , task: }]", "spec.kind"),
        (writes("ds:5"), "spec.dataset_tag"),
        (writes("ds:latest"), "spec.dataset_tag"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(entry: str, code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        tasks(entry)
    assert (refusal.value.code, refusal.value.line) == (code, 4)


def test_everything_that_an_output_may_say_is_read() -> None:
    spec = tasks(
        "outputs: [{dataset: {name: ds, path: a/b, metadata: [m.yaml], labels: [l.yaml]}}, "
        "{update_dataset: {name: 'ds:5', path: c, metadata: [m.yaml]}}]"
    )
    written, updated = spec.groups[0].tasks[0].outputs
    assert written.dataset is not None
    assert updated.update_dataset is not None
    assert (written.dataset.path, written.dataset.metadata) == ("a/b", ("m.yaml",))
    assert updated.update_dataset.paths == ("c",)


def test_who_reads_a_dataset_starts_after_who_writes_it() -> None:
    plan = plan_of(spec_of(THREE_GROUPS))
    assert {group.name: group.upstreams for group in plan.groups} == {"one": (), "two": ("one",), "three": ("one",)}


@pytest.mark.parametrize(
    ("written", "read", "edge"),
    [
        ("ds", "ds", True),
        ("ds:v1", "ds", True),
        ("ds:v1", "ds:latest", True),
        ("ds:v1", "ds:v1", True),
        ("ds:{{workflow_id}}", "ds:{{workflow_id}}", True),
        ("ds:v1", "ds:v2", False),
        ("ds", "ds:v1", False),
        ("ds", "ds:3", False),
        ("b/ds", "ds", False),
        ("b/ds", "b/ds", True),
        ("ds", "other", False),
    ],
)
def test_edges_follow_bucket_name_and_tag(written: str, read: str, edge: bool) -> None:
    upstreams = upstream_groups(tasks(writes(written), reads(read)))
    assert upstreams["t1-group"] == (("t0-group",) if edge else ())


def test_only_what_stands_before_is_waited_for_and_never_oneself() -> None:
    assert upstream_groups(tasks(reads("ds"), writes("ds"))) == {"t0-group": (), "t1-group": ()}
    assert upstream_groups(tasks(f"{reads('ds')}, {writes('ds')}")) == {"t0-group": ()}


def test_an_update_is_waited_for_too() -> None:
    spec = tasks(writes("ds"), f"outputs: [{{update_dataset: {{name: ds}}}}], {reads('ds')}", reads("ds"))
    assert upstream_groups(spec)["t2-group"] == ("t0-group", "t1-group")


def test_a_dataset_is_handed_on_as_a_directory_of_its_name() -> None:
    one, two, three = plan_of(spec_of(THREE_GROUPS)).groups
    place = "file:///store/w-7/t2.datasets/.ds"
    assert one.tasks[0].outputs == (OutputPlan("file:///store/w-7/t1", intermediate=True),)
    (output,) = one.tasks[1].outputs
    assert (output.url, output.intermediate, output.dataset) == (
        f"{place}/ds",
        True,
        DatasetUse("ds", ".*[.]txt", "made"),
    )
    assert two.tasks[0].inputs == (InputPlan(place, "ds/(?:a.*)", task="t2", dataset=DatasetUse("ds", "a.*")),)
    assert three.tasks[0].inputs == (InputPlan(place, task="t2", dataset=DatasetUse("ds")),)


@pytest.mark.parametrize(
    ("file", "taken"),
    [("made/a.txt", True), ("made/sub/a.txt", True), ("made/a.bin", False), ("madeup/a.txt", False), ("a.txt", False)],
)
def test_an_output_takes_its_path_and_what_its_expression_matches(file: str, taken: bool) -> None:
    output = plan_of(spec_of(THREE_GROUPS)).groups[0].tasks[1].outputs[0]
    assert (re.match(output.regex, file) is not None) == taken


def test_handing_on_is_said() -> None:
    draft = draft_of(spec_of(THREE_GROUPS))
    assert draft.unserved is None
    assert draft.warnings == (
        "Dataset ds is handed on within this workflow and not kept as a version: this installation does not store datasets.",
    )


@pytest.mark.parametrize(
    "entries",
    [
        [reads("ds")],
        [writes("ds")],
        [writes("ds"), reads("ds:3")],
        [writes("ds"), writes("ds"), reads("ds")],
        ["outputs: [{update_dataset: {name: ds}}]", reads("ds")],
        ["outputs: [{dataset: {name: ds, path: a/b}}]", reads("ds")],
        [writes("ds"), "inputs: [{dataset: {name: ds, localpath: dir}}]"],
    ],
)
def test_what_needs_dataset_storage_is_valid_and_says_why_it_cannot_run(entries: list[str]) -> None:
    draft = draft_of(tasks(*entries))
    assert draft.unserved is not None
    assert (draft.unserved.code, draft.unserved.error_code) == ("plan.no_datasets", "USAGE")
    assert draft.unserved.line in range(4, 7)
    assert any("submitting would be refused" in warning for warning in draft.warnings)


def test_without_any_storage_nothing_is_handed_on() -> None:
    assert draft_of(spec_of(THREE_GROUPS), WorkflowSettings()).unserved is not None


def test_flags_of_a_whole_expression_are_refused_where_they_cannot_stand() -> None:
    with pytest.raises(Rejected) as refusal:
        draft_of(spec_of(THREE_GROUPS.replace("a.*", "(?i)a.*")))
    assert (refusal.value.code, refusal.value.line) == ("spec.regex", 11)


def test_what_runs_again_is_the_same_plan() -> None:
    plan: Any = draft_of(spec_of(THREE_GROUPS)).plan
    assert draft_of(spec_again(plan, POOL)).plan == plan


def test_a_restart_takes_the_dataset_from_the_old_workflow() -> None:
    spec = spec_again(plan_of(spec_of(THREE_GROUPS)), POOL)
    keep_groups(spec, {"three"}, "w-7")
    (three,) = draft_of(spec).plan.groups
    use = DatasetUse("ds")
    place = "file:///store/w-7/t2.datasets/.ds"
    assert three.upstreams == ()
    assert three.tasks[0].inputs == (InputPlan(place, task="t2", workflow="w-7", dataset=use),)
