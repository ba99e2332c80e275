"""The rejection matrix of the reference (spec 1.26), row by row: what is refused with which code and class, where, and what stays behind."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from osmo_domain.requests import Refused
from osmo_domain.workflow.events import WorkflowRejected

TASK = "  - name: a\n    image: alpine\n    command: [x]\n"
HEAD = "workflow:\n  name: w\n  tasks:\n"
SPEC = HEAD + TASK


@dataclass
class Row:
    """`kept` = a workflow FAILED_SUBMISSION is left behind. `place` is line and column in the file, None where there is none."""

    what: str
    file: str
    code: str
    error_code: str
    kept: bool = False
    place: tuple[int | None, int | None] = (None, None)
    more: dict[str, Any] = field(default_factory=dict)


def task(extra: str) -> str:
    """The minimal spec with one more line in its task, line 7."""
    return f"{SPEC}    {extra}\n"


def resources(entry: str) -> str:
    return f"workflow:\n  name: w\n  resources:\n    default: {entry}\n  tasks:\n{TASK}"


def group(tasks: str) -> str:
    return f"workflow:\n  name: w\n  groups:\n  - name: g\n    tasks:\n{tasks}"


def many_tasks(count: int) -> str:
    return HEAD + "".join(TASK.replace("name: a", f"name: t{number}") for number in range(count))


USAGE, USER, RESOURCE, SUBMISSION, CREDENTIAL, DATABASE = (
    "USAGE",
    "USER",
    "RESOURCE",
    "SUBMISSION",
    "CREDENTIAL",
    "DATABASE",
)

ROWS = [
    Row("unknown top-level key", f"{SPEC}workflows: 1\n", "spec.unknown_section", USER, place=(7, 1)),
    Row("duplicate top-level key", f"version: 2\n{SPEC}version: 2\n", "spec.duplicate_section", USER, place=(8, 1)),
    Row("no workflow", "version: 2\n", "spec.no_workflow", USER),
    Row("undefined variable", SPEC.replace("alpine", "{{ image }}"), "template.undefined", USAGE, place=(5, None)),
    Row("template syntax", SPEC.replace("alpine", "{% if %}"), "template.syntax", USAGE, place=(5, None)),
    Row(
        "sandbox violation", SPEC.replace("alpine", "{{ ''.__class__ }}"), "template.forbidden", USAGE, place=(5, None)
    ),
    Row("--set without =", SPEC, "template.set", USAGE, more={"set_variables": ("foo",)}),
    Row("not YAML", SPEC.replace("[x]", "[x"), "yaml.syntax", USAGE, kept=True, place=(7, 1)),
    Row("not a map", "workflow: [1]\n", "spec.type", USAGE, kept=True, place=(1, 11)),
    Row("duplicate key", task("image: b"), "yaml.duplicate_key", USAGE, kept=True, place=(7, 5)),
    Row("unknown key of the workflow", f"{SPEC}  priority: HIGH\n", "spec.unknown_key", USAGE, True, (7, 3)),
    Row("unknown key of a task", task("env: {A: b}"), "spec.unknown_key", USAGE, True, (7, 5)),
    Row(
        "unknown key of a group",
        group("    - {name: a, image: i, command: [x]}\n    leader: a\n"),
        "spec.unknown_key",
        USAGE,
        True,
        (7, 5),
    ),
    Row("unknown key of a resource", resources("{cpus: 1}"), "spec.unknown_key", USAGE, True, (4, 15)),
    Row("unknown key of timeout", f"{SPEC}  timeout: {{exec: 1h}}\n", "spec.unknown_key", USAGE, True, (7, 13)),
    Row("unknown key of an input", task("inputs: [{tasks: b}]"), "spec.unknown_key", USAGE, True, (7, 15)),
    Row("unknown key of an output", task("outputs: [{uri: 's3://b'}]"), "spec.unknown_key", USAGE, True, (7, 16)),
    Row("unknown key of a kpi", task("kpis: [{index: a, file: b}]"), "spec.unknown_key", USAGE, True, (7, 23)),
    Row(
        "tasks and groups",
        f"{SPEC}  groups: [{{name: g, tasks: [{{name: b, image: c, command: [d]}}]}}]\n",
        "spec.tasks_and_groups",
        USAGE,
        True,
        (7, 11),
    ),
    Row("neither", "workflow:\n  name: w\n", "spec.no_tasks", USAGE, True, (2, 3)),
    Row("duplicate task names", SPEC + TASK, "spec.duplicate_name", USAGE, True, (7, 11)),
    Row(
        "duplicate modulo case and _",
        SPEC.replace("name: a", "name: a_B") + TASK.replace("name: a", "name: A-b"),
        "spec.duplicate_name",
        USAGE,
        True,
        (7, 11),
    ),
    Row(
        "a task named as a generated group",
        SPEC + TASK.replace("name: a", "name: a-group"),
        "spec.duplicate_name",
        USAGE,
        True,
        (7, 11),
    ),
    Row(
        "no lead",
        group("".join(f"    - {{name: {n}, image: i, command: [x]}}\n" for n in "ab")),
        "spec.leads",
        USAGE,
        True,
        (4, 5),
    ),
    Row(
        "two leads",
        group("".join(f"    - {{name: {n}, lead: true, image: i, command: [x]}}\n" for n in "ab")),
        "spec.leads",
        USAGE,
        True,
        (7, 23),
    ),
    Row("empty command", SPEC.replace("[x]", "[]"), "spec.empty_command", USAGE, True, (6, 14)),
    Row("missing image", HEAD + "  - name: a\n    command: [x]\n", "spec.missing_key", USAGE, True, (4, 5)),
    Row("missing command", HEAD + "  - name: a\n    image: b\n", "spec.missing_key", USAGE, True, (4, 5)),
    Row("missing name", SPEC.replace("  name: w\n", ""), "spec.missing_key", USAGE, True, (2, 3)),
    Row("bad name", SPEC.replace("name: a", "name: a."), "spec.name", USAGE, True, (4, 11)),
    Row("reserved name", SPEC.replace("name: a", "name: OSMO_ctrl"), "spec.reserved_name", USAGE, True, (4, 11)),
    Row("a boolean argument", task("args: [true]"), "spec.type", USAGE, True, (7, 12)),
    Row("a null variable", task("environment: {A: null}"), "spec.type", USAGE, True, (7, 22)),
    Row("a nested variable", task("environment: {A: {B: c}}"), "spec.type", USAGE, True, (7, 22)),
    Row("exit action RESTART", task("exitActions: {RESTART: 1}"), "spec.exit_action", USAGE, True, (7, 19)),
    Row("exit codes with a space", task('exitActions: {FAIL: "1, 2"}'), "spec.exit_codes", USAGE, True, (7, 25)),
    Row("file below /osmo", task("files: [{path: /osmo/x, contents: c}]"), "spec.file_path", USAGE, True, (7, 20)),
    Row(
        "file that sneaks below /osmo",
        task("files: [{path: /tmp/../osmo/x, contents: c}]"),
        "spec.file_path",
        USAGE,
        True,
        (7, 20),
    ),
    Row("file path /", task("files: [{path: /, contents: c}]"), "spec.file_path", USAGE, True, (7, 20)),
    Row(
        "duplicate file",
        task("files: [{path: /a, contents: c}, {path: a, contents: c}]"),
        "spec.duplicate_file",
        USAGE,
        True,
        (7, 45),
    ),
    Row("leftover localpath", task("files: [{path: /a, localpath: c}]"), "spec.unknown_key", USAGE, True, (7, 24)),
    Row("bad base64", task("files: [{path: /a, contents: '!', base64: true}]"), "spec.base64", USAGE, True, (7, 34)),
    Row(
        "checkpoint that is no URI",
        task("checkpoint: [{path: /a, url: b, frequency: 1s}]"),
        "spec.uri",
        USAGE,
        True,
        (7, 34),
    ),
    Row(
        "checkpoint without pause",
        task("checkpoint: [{path: /a, url: 's3://b', frequency: 0}]"),
        "spec.frequency",
        USAGE,
        True,
        (7, 55),
    ),
    Row("unit GB", resources("{memory: 1GB}"), "quantity.bad", RESOURCE, False, (4, 23)),
    Row("no quantity", resources("{storage: lots}"), "quantity.bad", RESOURCE, False, (4, 24)),
    Row("bad timeout", f"{SPEC}  timeout: {{exec_timeout: soon}}\n", "duration.bad", USAGE, True, (7, 27)),
    Row("half a CPU", resources("{cpu: 0.5}"), "spec.type", USAGE, True, (4, 20)),
    Row("labels that are no text", f"{SPEC}  labels: {{a: 1}}\n", "labels.type", USAGE, False, (7, 15)),
    Row("labels with bad syntax", f"{SPEC}  labels: {{a: 'x y'}}\n", "labels.value", USAGE, False, (7, 11)),
    Row(
        "too many labels",
        f"{SPEC}  labels: {{{', '.join(f'k{n}: v' for n in range(17))}}}\n",
        "labels.too_many",
        USAGE,
        False,
        (7, 11),
    ),
    Row("bad --label", SPEC, "labels.option", USAGE, more={"labels": ("team",)}),
    Row("bad --set-env", SPEC, "env.option", USAGE, more={"env_vars": ("A",)}),
    Row("unknown producer", task("inputs: [{task: bb}]"), "spec.unknown_task", SUBMISSION, False, (7, 21)),
    Row("its own producer", task("inputs: [{task: a}]"), "spec.cycle", SUBMISSION, False, (4, 5)),
    Row(
        "a circle",
        task("inputs: [{task: b}]") + TASK.replace("name: a", "name: b") + "    inputs: [{task: a}]\n",
        "spec.cycle",
        SUBMISSION,
        False,
        (4, 5),
    ),
    Row("unknown resource", task("resource: big"), "spec.unknown_resource", RESOURCE, False, (7, 15)),
    Row(
        "no default resource",
        resources("{}").replace("default", "other"),
        "spec.unknown_resource",
        RESOURCE,
        False,
        (6, 5),
    ),
    Row("no platform", SPEC, "spec.no_platform", RESOURCE, False, (2, 3), {"pool": "bare"}),
    Row("topology key", resources("{topology: [{key: rack}]}"), "spec.topology_key", SUBMISSION, False, (4, 32)),
    Row("too many tasks", many_tasks(51), "spec.too_many_tasks", USER, False, (2, 3)),
    Row("name too long", SPEC.replace("name: a", f"name: {'a' * 65}"), "spec.name_length", USER, True, (4, 11)),
    Row(
        "generated name too long", SPEC.replace("name: a", f"name: {'a' * 59}"), "spec.name_length", USER, True, (4, 11)
    ),
    Row("earlier workflow unknown", task("inputs: [{task: 'gone-1:b'}]"), "workflow.not_found", DATABASE, True),
    Row("maintenance", SPEC, "submit.maintenance", USAGE, more={"pool": "closed"}),
    Row("above the guarantee", resources("{gpu: 5}"), "admission.guarantee", USAGE, True, (6, 5)),
    Row("unknown platform", resources("{platform: h100}"), "admission.platform", RESOURCE, True, (4, 25)),
    Row("never fits", resources("{cpu: 9}"), "admission.too_large", RESOURCE, True, (4, 20)),
    Row("negative", resources("{cpu: -1}"), "admission.negative", USER, True, (4, 20)),
    Row("forbidden mount", task("volumeMounts: [/etc]"), "admission.mount", RESOURCE, True, (7, 19)),
    Row("privileged", task("privileged: true"), "admission.privilege", RESOURCE, True, (7, 17)),
    Row("host network", task("hostNetwork: true"), "admission.privilege", RESOURCE, True, (7, 18)),
    Row("image unparsable", SPEC.replace("alpine", "'a b'"), "spec.image", USAGE, True, (5, 12)),
    Row("bad regex", task("inputs: [{url: 's3://b', regex: '('}]"), "spec.regex", USAGE, True, (7, 37)),
    Row("URL of unknown scheme", task("inputs: [{url: 'ftp://b/c'}]"), "spec.uri", USAGE, True, (7, 20)),
    Row("no access to data", task("inputs: [{url: 'gs://secret/c'}]"), "data.no_access", CREDENTIAL, True),
    Row("unknown pool", SPEC, "submit.unknown_pool", USER, more={"pool": "nowhere"}),
    Row("both file and id", SPEC, "submit.what", USAGE, more={"source_workflow_id": "w-1"}),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
async def test_a_bad_submission_is_refused_as_the_matrix_says(house: Any, row: Row) -> None:
    refusal: Refused = await house.refusal(row.file, **row.more)
    assert (refusal.code, refusal.error_code, refusal.http_status) == (row.code, row.error_code, 400)
    assert (refusal.line, refusal.column) == row.place
    assert await house.count() == (1 if row.kept else 0)


@pytest.mark.parametrize("row", [row for row in ROWS if row.kept], ids=lambda row: row.what)
async def test_a_remembered_refusal_says_why(house: Any, row: Row) -> None:
    refusal: Refused = await house.refusal(row.file, **row.more)
    workflow_id = f"{refusal.workflow_id}-1" if refusal.workflow_id == "w" else refusal.workflow_id
    (event,) = await house.events(workflow_id)
    assert isinstance(event, WorkflowRejected)
    assert (event.code, event.message, event.error_code) == (refusal.code, refusal.message, refusal.error_code)
    assert (event.workflow_id, event.user, event.pool) == (workflow_id, "ada", "lab")


async def test_yaml_errors_are_remembered_under_the_uuid(house: Any) -> None:
    refusal = await house.refusal(SPEC.replace("[x]", "[x"))
    name, _, uuid = refusal.workflow_id.partition("-")
    assert (name, len(uuid)) == ("failed", 32)


async def test_a_dry_run_leaves_nothing_behind_and_a_validation_does(house: Any) -> None:
    bad = SPEC.replace("[x]", "[x")
    await house.refusal(bad, dry_run=True)
    assert await house.count() == 0
    await house.refusal(bad, validation_only=True)
    assert await house.count() == 1


TEMPLATED = """default-values:
  count: 2
workflow:
  name: w
  tasks:
  {% for i in range(count) %}
  - name: t{{ i }}
    image: alpine
    comand: [x]
  {% endfor %}
"""


async def test_places_in_a_rendered_text_are_told_in_the_template(house: Any) -> None:
    refusal = await house.refusal(TEMPLATED)
    assert (refusal.line, refusal.column, refusal.path) == (9, 5, "workflow.tasks[0].comand")
    assert "Did you mean `command`?" in refusal.message
    refusal = await house.refusal(TEMPLATED.replace("t{{ i }}", "{{ i }}"))
    assert (refusal.line, refusal.column) == (7, None)


async def test_an_unreadable_request_is_answered(house: Any) -> None:
    for data in (b"", b"{}", b'{"type": "submit"}', b"\xff"):
        assert b"request.malformed" in await house.door.answer(data)


async def test_away_data_is_said_and_nothing_is_stored(house_alone: Any) -> None:
    refusal = await house_alone.refusal(task("inputs: [{url: 's3://b/c'}]"))
    assert (refusal.code, refusal.http_status) == ("submit.unavailable", 503)
    assert await house_alone.count() == 0
