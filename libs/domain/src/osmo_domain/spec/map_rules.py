"""Rules that concern one map of a spec: keys that exclude or need each other, and what a type alone cannot see."""

import posixpath
import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

from osmo_domain.errors import Rejected
from osmo_domain.ids import NAME_PATTERN, WORKFLOW_ID_PATTERN, kubernetes_name
from osmo_domain.quantities import parse_quantity
from osmo_domain.spec.datasets import check_written
from osmo_domain.spec.model import (
    CheckpointSpec,
    FileSpec,
    GroupSpec,
    InputSpec,
    OutputSpec,
    TaskSpec,
    WorkflowSpec,
)
from osmo_domain.spec.storage_layout import OUTPUT_DIRECTORY
from osmo_domain.spec.tokens import replace_tokens
from osmo_domain.spec.tree import MapNode, has_value, refused

_RESERVED: Final = "osmo-ctrl"
_PERCENT: Final = re.compile(r"([0-9]{1,9})%")
_REFERENCE: Final = re.compile(r"(?:([^:]*):)?([^:]*)")


def check_workflow(workflow: WorkflowSpec) -> None:
    source = workflow.source
    if workflow.tasks and workflow.groups:
        raise refused(source.at("groups"), "spec.tasks_and_groups", "A workflow has `tasks` or `groups`, not both.")
    if not workflow.tasks and not workflow.groups:
        raise refused(source, "spec.no_tasks", "The workflow has no tasks: give it `tasks` or `groups`.")


def check_group(group: GroupSpec) -> None:
    """One lead: a lone task is it."""
    if len(group.tasks) == 1:
        group.tasks[0].lead = True
    leads = [task for task in group.tasks if task.lead]
    if len(leads) != 1:
        place = leads[1].source.at("lead") if leads else group.source
        raise refused(place, "spec.leads", f"Group {group.name} has {len(leads)} leads and must have exactly one.")


def check_task(task: TaskSpec) -> None:
    if kubernetes_name(task.name) == _RESERVED:
        raise refused(task.source.at("name"), "spec.reserved_name", f"The name {task.name} is taken by the system.")
    seen: set[str] = set()
    for file in task.files:
        if file.path in seen:
            raise refused(file.source.at("path"), "spec.duplicate_file", f"Two files have the path {file.path}.")
        seen.add(file.path)
    _check_cache_size(task)


def _check_cache_size(task: TaskSpec) -> None:
    found = _PERCENT.fullmatch(task.cache_size)
    if not task.cache_size or (found and int(found[1]) <= 100):
        return
    try:
        parse_quantity(task.cache_size)
    except Rejected as error:
        raise refused(
            task.source.at("cacheSize"),
            "spec.cache_size",
            f"The cache size is not 0% to 100% or an amount: {error}",
            "RESOURCE",
        ) from error


def check_input(given: InputSpec) -> None:
    if _exactly_one(given.source, "input", ("task", "url", "dataset")) != "task":
        return
    node = given.source.at("task")
    found = _REFERENCE.fullmatch(given.task)
    if found is None or not NAME_PATTERN.fullmatch(found[2]):
        raise refused(node, "spec.task_reference", f'"{given.task[:120]}" is not a task or <workflow id>:<task>.')
    if found[1] is not None:
        if not WORKFLOW_ID_PATTERN.fullmatch(found[1]):
            raise refused(node, "spec.task_reference", f'"{found[1][:120]}" is not the id of a workflow.')
        given.workflow, given.task = found[1], found[2]


def check_output(given: OutputSpec) -> None:
    _exactly_one(given.source, "output", ("url", "dataset", "update_dataset"))
    if given.dataset is not None:
        check_written(given.dataset)


def _exactly_one(source: MapNode, what: str, keys: tuple[str, ...]) -> str:
    """Which of the keys is there; one without a value is not."""
    present = [key for key in keys if has_value(source.get(key))]
    if len(present) != 1:
        said = f"it has {' and '.join(present)}" if present else "it has none"
        raise refused(source, "spec.kind", f"An {what} has exactly one of {', '.join(keys)}, and {said}.")
    if "dataset" in present[0] and "regex" in source.entries:
        raise refused(source.at("regex"), "spec.kind", "The `regex` of a dataset stands inside it.")
    return present[0]


def check_file(file: FileSpec) -> None:
    """`path` becomes absolute and plain. Below `/osmo` only the output directory takes files."""
    node = file.source.at("path")
    written = replace_tokens(file.path, {"output": OUTPUT_DIRECTORY})
    path = posixpath.normpath("/" + written.lstrip("/"))
    if path == "/" or ".." in written.split("/") or written.endswith("/"):
        raise refused(node, "spec.file_path", f'"{file.path[:120]}" cannot be the path of a file.')
    if path.split("/")[1] == "osmo" and not path.startswith(f"{OUTPUT_DIRECTORY}/"):
        raise refused(
            node, "spec.file_path", f"{path[:120]}: below /osmo files may only be put into {OUTPUT_DIRECTORY}."
        )
    file.path = path
    if file.base64:
        _check_base64(file)


def _check_base64(file: FileSpec) -> None:
    try:
        b64decode("".join(file.contents.split()), validate=True)
    except (Base64Error, ValueError) as error:
        raise refused(file.source.at("contents"), "spec.base64", f"The contents are not base64: {error}.") from error


def check_checkpoint(checkpoint: CheckpointSpec) -> None:
    checkpoint.path = "/" + checkpoint.path.lstrip("/")
    if checkpoint.frequency <= 0:
        raise refused(checkpoint.source.at("frequency"), "spec.frequency", "The frequency must be more than nothing.")
