"""Datasets in a spec: how they are named, and who waits for whom because of them."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from osmo_domain.spec.model import DatasetSpec, GroupSpec, InputSpec, OutputSpec, WorkflowSpec
from osmo_domain.spec.tree import ListNode, MapNode, refused

_COMPONENT: Final = r"(?:[a-zA-Z0-9_-]|\{\{(?:workflow_id|uuid)\}\})+"
_REFERENCE: Final = re.compile(rf"(?:({_COMPONENT})/)?({_COMPONENT})(?::((?:{_COMPONENT})?))?")
_PART: Final = r"[^/\\,?\"<>|\r\n]+"
_RELATIVE: Final = re.compile(rf"{_PART}(?:[/\\]{_PART})*[/\\]?")
_NEWEST: Final = "latest"


class DatasetRef(Struct, frozen=True):
    """`[bucket/]name[:tag]`; what is not said is empty. A tag of digits is the number of a version."""

    bucket: str
    name: str
    tag: str = ""

    def __str__(self) -> str:
        return f"{self.bucket}/{self.name}".removeprefix("/") + (f":{self.tag}" if self.tag else "")


class Writer(Struct, frozen=True):
    """An output that writes a dataset, and the task and group that it belongs to."""

    group: str
    task: str
    output: OutputSpec
    ref: DatasetRef


def parse_reference(text: str) -> DatasetRef | None:
    """None for a text that names no dataset."""
    found = _REFERENCE.fullmatch(text)
    return DatasetRef(found[1] or "", found[2], found[3] or "") if found else None


def reference(dataset: DatasetSpec) -> DatasetRef:
    """The reference of a dataset that was checked."""
    ref = parse_reference(dataset.name)
    assert ref is not None
    return ref


def check_dataset(dataset: DatasetSpec) -> None:
    if parse_reference(dataset.name) is None:
        raise refused(
            dataset.source.at("name"),
            "spec.dataset_name",
            f'"{dataset.name[:120]}" does not name a dataset: [bucket/]name[:tag], of letters, digits, "-" and "_".',
        )
    if dataset.path:
        _check_relative(dataset.source, "path", [dataset.path])
    for key, paths in (("metadata", dataset.metadata), ("labels", dataset.labels), ("paths", dataset.paths)):
        _check_relative(dataset.source, key, paths)


def check_update(dataset: DatasetSpec) -> None:
    """`path` is another word for one entry of `paths`."""
    check_dataset(dataset)
    if dataset.path:
        dataset.paths, dataset.path = (dataset.path, *dataset.paths), ""


def _check_relative(source: MapNode, key: str, paths: tuple[str, ...] | list[str]) -> None:
    for number, path in enumerate(paths):
        if not _RELATIVE.fullmatch(path) or ".." in re.split(r"[/\\]", path):
            node = source.at(key)
            node = node.items[number] if isinstance(node, ListNode) and number < len(node.items) else node
            raise refused(
                node,
                "spec.dataset_path",
                f'"{path[:120]}" is not a path below the output directory: relative, no "..".',
            )


def check_written(dataset: DatasetSpec) -> None:
    """What is written gets a new number, and is the latest by itself."""
    tag = reference(dataset).tag
    if tag == _NEWEST or tag.isdigit():
        raise refused(
            dataset.source.at("name"),
            "spec.dataset_tag",
            f"An output cannot be tagged `{tag}`: the service numbers versions, and the newest is `{_NEWEST}` by itself.",
        )


def find_writers(workflow: WorkflowSpec) -> dict[int, tuple[Writer, ...]]:
    """`id` of each dataset input to the outputs of groups before its own that may write what it reads.

    An input that names a version by its number reads one that exists already; one with `localpath` reads what the client uploads.
    """
    found: dict[int, tuple[Writer, ...]] = {}
    written: defaultdict[tuple[str, str], list[Writer]] = defaultdict(list)
    for group in workflow.groups:
        for given in _dataset_inputs(group):
            ref = reference(given.dataset) if given.dataset else DatasetRef("", "")
            found[id(given)] = tuple(one for one in written[ref.bucket, ref.name] if _may_be(one.ref.tag, ref.tag))
        for writer in _dataset_outputs(group):
            written[writer.ref.bucket, writer.ref.name].append(writer)
    return found


def dataset_upstreams(workflow: WorkflowSpec) -> dict[str, tuple[str, ...]]:
    """Group to the groups before it that write datasets which it reads."""
    writers = find_writers(workflow)
    return {
        group.name: tuple(
            dict.fromkeys(writer.group for given in _dataset_inputs(group) for writer in writers[id(given)])
        )
        for group in workflow.groups
    }


def _may_be(written: str, read: str) -> bool:
    """Whether a version that is written with this tag may be the one that is read by that."""
    return not read.isdigit() and (read in ("", _NEWEST) or read == written)


def _dataset_inputs(group: GroupSpec) -> Iterator[InputSpec]:
    for task in group.tasks:
        for given in task.inputs:
            if given.dataset is not None and not given.dataset.localpath:
                yield given


def _dataset_outputs(group: GroupSpec) -> Iterator[Writer]:
    for task in group.tasks:
        for output in task.outputs:
            dataset = output.dataset or output.update_dataset
            if dataset is not None:
                yield Writer(group.name, task.name, output, reference(dataset))
