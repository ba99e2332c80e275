"""The node that the scheduler chose, as an affinity: the cluster still checks that there is room. Pure."""

from typing import Any

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def place_on(affinity: dict[str, Any], node: str) -> dict[str, Any]:
    """The affinity with this node in it, beside whatever a template demands: terms are alternatives, so each of them names the node."""
    here = {"key": "metadata.name", "operator": "In", "values": [node]}
    of_nodes = dict(affinity.get("nodeAffinity") or {})
    terms = (of_nodes.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    placed = [{**term, "matchFields": [*term.get("matchFields", []), here]} for term in terms]
    return {**affinity, "nodeAffinity": {**of_nodes, _REQUIRED: {"nodeSelectorTerms": placed}}}
