"""Specs that are refused, and how: what the reference says (spec.md 1.26) about class and row; code and place are ours and stable."""

from dataclasses import dataclass

TASK = "{name: a, image: i, command: [c]}"


@dataclass(frozen=True)
class BadSpec:
    """`row`: the refusal is kept as a FAILED_SUBMISSION. `at` is line and column where there is one."""

    text: str
    error_code: str
    code: str
    at: tuple[int | None, int | None] = (None, None)
    row: bool = False


def _in_workflow(body: str) -> str:
    return "workflow:\n  name: w\n" + body


def _task(body: str) -> str:
    return _in_workflow(f"  tasks: [{{name: a, {body}}}]\n")


def _resources(body: str) -> str:
    return _in_workflow(f"  resources: {{default: {{{body}}}}}\n  tasks: [{TASK}]\n")


BAD_SPECS = {
    "empty": BadSpec("", "USER", "spec.no_workflow"),
    "another document": BadSpec("foo: 1\n", "USER", "spec.unknown_section", (1, 1)),
    "section twice": BadSpec(
        f"workflow: {{name: w, tasks: [{TASK}]}}\nworkflow: {{name: w}}\n", "USER", "spec.duplicate_section", (2, 1)
    ),
    "broken YAML": BadSpec("workflow:\n  name: w\n  tasks: [{name: a\n", "USAGE", "yaml.syntax", (4, 1), row=True),
    "a tab": BadSpec("workflow:\n\tname: w\n", "USAGE", "yaml.syntax", (2, 1), row=True),
    "a NUL": BadSpec(f"workflow: {{name: w\0, tasks: [{TASK}]}}\n", "USAGE", "yaml.syntax", row=True),
    "a Python object": BadSpec("workflow: !!python/object/apply:os.system ['true']\n", "USAGE", "yaml.tag", (1, 11), row=True),
    "nested deep": BadSpec(f"workflow: {'[' * 5000}{']' * 5000}\n", "USAGE", "yaml.depth", (1, 110), row=True),
    "a bomb of aliases": BadSpec(
        _in_workflow(
            "  labels:\n    a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"    {b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True))
            + f"  tasks: [{TASK}]\n"
        ),
        "USAGE", "yaml.aliases", (9, 15), row=True,
    ),
    "unknown key of the workflow": BadSpec(
        _in_workflow(f"  colour: red\n  tasks: [{TASK}]\n"), "USAGE", "spec.unknown_key", (3, 3), row=True
    ),
    "unknown key of a task": BadSpec(
        _in_workflow("  tasks:\n  - name: a\n    image: i\n    kommand: [d]\n"), "USAGE", "spec.unknown_key", (6, 5), row=True
    ),
    "unknown key of a resource": BadSpec(_resources("gpus: 1"), "USAGE", "spec.unknown_key", (3, 25), row=True),
    "tasks and groups": BadSpec(
        _in_workflow(f"  tasks: [{TASK}]\n  groups: [{{name: g, tasks: [{TASK}]}}]\n"),
        "USAGE", "spec.tasks_and_groups", (4, 11), row=True,
    ),
    "neither tasks nor groups": BadSpec(_in_workflow("  resources: {}\n"), "USAGE", "spec.no_tasks", (2, 3), row=True),
    "no task": BadSpec("workflow: {name: w, tasks: []}\n", "USAGE", "spec.no_tasks", (1, 11), row=True),
    "tasks that are text": BadSpec("workflow: {name: w, tasks: hello}\n", "USAGE", "spec.type", (1, 28), row=True),
    "the same name twice": BadSpec(
        _in_workflow(f"  tasks:\n  - {TASK}\n  - {TASK}\n"), "USAGE", "spec.duplicate_name", (5, 12), row=True
    ),
    "the same name to Kubernetes": BadSpec(
        _in_workflow(f"  tasks:\n  - {TASK.replace('a,', 'my-task,', 1)}\n  - {TASK.replace('a,', 'My_Task,', 1)}\n"),
        "USAGE", "spec.duplicate_name", (5, 12), row=True,
    ),
    "no image": BadSpec(_task("command: [c]"), "USAGE", "spec.missing_key", (3, 11), row=True),
    "no command": BadSpec(_task("image: i"), "USAGE", "spec.missing_key", (3, 11), row=True),
    "an empty command": BadSpec(_task("image: i, command: []"), "USAGE", "spec.empty_command", (3, 40), row=True),
    "a boolean as argument": BadSpec(_task("image: i, command: [c], args: [true]"), "USAGE", "spec.type", (3, 52), row=True),
    "nothing as environment": BadSpec(
        _task("image: i, command: [c], environment: {A: null}"), "USAGE", "spec.type", (3, 62), row=True
    ),
    "an unknown exit action": BadSpec(
        _task("image: i, command: [c], exitActions: {RESTART: 1}"), "USAGE", "spec.exit_action", (3, 59), row=True
    ),
    "a file in our folder": BadSpec(
        _task("image: i, command: [c], files: [{path: /osmo/x, contents: x}]"), "USAGE", "spec.file_path", (3, 60), row=True
    ),
    "an unparsable image": BadSpec(_task("image: 'A B:::', command: [c]"), "USAGE", "spec.image", (3, 28), row=True),
    "an unknown unit": BadSpec(_resources("memory: 1GB"), "RESOURCE", "quantity.bad", (3, 33)),
    "no quantity": BadSpec(_resources("memory: lots"), "RESOURCE", "quantity.bad", (3, 33)),
    "less than no cpu": BadSpec(_resources("cpu: -1"), "USER", "admission.negative", (3, 30), row=True),
    "GPUs in words": BadSpec(_resources("gpu: many"), "USAGE", "spec.type", (3, 30), row=True),
    "more GPUs than a node has": BadSpec(_resources("gpu: 64"), "RESOURCE", "admission.too_large", (3, 30), row=True),
    "an unknown platform": BadSpec(_resources("platform: mars"), "RESOURCE", "admission.platform", (3, 35), row=True),
    "an unknown resource": BadSpec(
        _task("image: i, command: [c], resource: big"), "RESOURCE", "spec.unknown_resource", (3, 55)
    ),
    "an unknown input": BadSpec(
        _task("image: i, command: [c], inputs: [{task: b}]"), "SUBMISSION", "spec.unknown_task", (3, 61)
    ),
    "a circle": BadSpec(
        _in_workflow(
            "  tasks:\n  - {name: a, image: i, command: [c], inputs: [{task: b}]}\n"
            "  - {name: b, image: i, command: [c], inputs: [{task: a}]}\n"
        ),
        "SUBMISSION", "spec.cycle", (4, 5),
    ),
    "a circle of one": BadSpec(_task("image: i, command: [c], inputs: [{task: a}]"), "SUBMISSION", "spec.cycle", (3, 11)),
    "an unknown scheme": BadSpec(
        _task("image: i, command: [c], inputs: [{url: 'ftp://x/y'}]"), "USAGE", "spec.uri", (3, 60), row=True
    ),
    "a long name": BadSpec(f"workflow: {{name: {'n' * 65}, tasks: [{TASK}]}}\n", "USER", "spec.name_length", (1, 18), row=True),
    "a name with a space": BadSpec(f"workflow: {{name: 'a b', tasks: [{TASK}]}}\n", "USAGE", "spec.name", (1, 18), row=True),
    "a label with a space": BadSpec(
        f"workflow: {{name: w, labels: {{'a b': c}}, tasks: [{TASK}]}}\n", "USAGE", "labels.key", (1, 29)
    ),
    "a timeout in words": BadSpec(
        _in_workflow(f"  timeout: {{exec_timeout: soon}}\n  tasks: [{TASK}]\n"), "USAGE", "duration.bad", (3, 27), row=True
    ),
    "an undefined variable": BadSpec(_task("image: '{{ nope }}'"), "USAGE", "template.undefined", (3, None)),
    "no Jinja": BadSpec(_task("image: '{% for %}'"), "USAGE", "template.syntax", (3, None)),
    "a look behind the sandbox": BadSpec(
        _task("image: '{{ [].__class__.__mro__ }}'"), "USAGE", "template.forbidden", (3, None)
    ),
    "an endless template": BadSpec(
        _task("image: '{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}'"),
        "USAGE", "template.limits",
    ),
    "a huge template": BadSpec(_task("image: '{{ \"x\" * 10000000000 }}'"), "USAGE", "template.limits"),
    "a huge range": BadSpec(
        _task("image: '{% for i in range(10**12) %}x{% endfor %}'"), "USAGE", "template.failed", (3, None)
    ),
    "too many tasks": BadSpec(
        f"workflow: {{name: w, tasks: [{','.join(TASK.replace('a,', f'a{n},', 1) for n in range(10_001))}]}}\n",
        "USER", "spec.too_many_tasks", (1, 11),
    ),
}  # fmt: skip
