"""The rendered text as a document: its `workflow` map, its labels, and its text again for a dry run."""

from collections.abc import Iterable, Mapping

from osmo_domain.errors import Rejected
from osmo_domain.ids import NAME_PATTERN
from osmo_domain.labels import check_labels, parse_label_options
from osmo_domain.spec.dump import dump_yaml
from osmo_domain.spec.keys import WORKFLOW
from osmo_domain.spec.model import WorkflowSpec
from osmo_domain.spec.parse import parse_yaml
from osmo_domain.spec.tree import MapNode, Node, ScalarNode, plain, refused, words_for


def read_document(text: str) -> MapNode:
    """The `workflow` map of a rendered text. Refused with `yaml.*` or `spec.*`, class USAGE."""
    root = parse_yaml(text)
    workflow = root.get("workflow") if isinstance(root, MapNode) else None
    if workflow is None or root is None:
        raise Rejected("spec.no_workflow", "There is nothing under `workflow`.", error_code="USAGE")
    if not isinstance(workflow, MapNode):
        raise refused(workflow, "spec.type", f"`workflow` must be a map, and it is {words_for(workflow)}.")
    return workflow


def written_name(workflow: MapNode) -> str:
    """The name as it stands there, if it can be one; empty if not."""
    name = workflow.get("name")
    value = name.value if isinstance(name, ScalarNode) else None
    return value if isinstance(value, str) and NAME_PATTERN.fullmatch(value) else ""


def read_labels(workflow: MapNode, options: Iterable[str] = ()) -> dict[str, str]:
    """The labels of the map, with those of the command line over them. Refused with `labels.*`, class USAGE."""
    labels = dict(_written_labels(workflow.get("labels")))
    labels.update(parse_label_options(options))
    try:
        check_labels(labels)
    except Rejected as error:
        raise refused(workflow.at("labels"), error.code, error.message, error.error_code) from error
    return labels


def _written_labels(node: Node | None) -> Iterable[tuple[str, str]]:
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return
    if not isinstance(node, MapNode):
        raise refused(node, "labels.type", f"`labels` must be a map of text to text, and it is {words_for(node)}.")
    for key, value in node.entries.values():
        if not isinstance(key.value, str) or not isinstance(value, ScalarNode) or not isinstance(value.value, str):
            raise refused(
                value,
                "labels.type",
                f"The label {key.value} must be text, and it is {words_for(value)}: put it in quotes.",
            )
        yield key.value, value.value


def read_spec(workflow: MapNode) -> WorkflowSpec:
    """Every map and value checked by itself; what concerns several of them is checked by `rules`."""
    return WORKFLOW.read(workflow)


def dump_document(workflow: MapNode, labels: Mapping[str, str] | None = None) -> str:
    """The document as YAML with sorted keys. `labels` replace those in it, where given."""
    document = plain(workflow)
    if labels:
        document = {**document, "labels": dict(labels)}
    return dump_yaml({"workflow": document})
