"""What a spec may ask about topology: levels that the pool has, and the same ones in all tasks that ask for any."""

from collections.abc import Iterable, Mapping

from osmo_domain.pool import Pool
from osmo_domain.spec.model import ResourceSpec, WorkflowSpec
from osmo_domain.spec.schema import nearest
from osmo_domain.spec.tree import refused


def check_topology_keys(resources: Iterable[ResourceSpec], pool: Pool) -> None:
    """Refused with `spec.topology_key`, class SUBMISSION."""
    known = [level.key for level in pool.topology_keys]
    for resource in resources:
        for topology in resource.topology:
            if topology.key not in known:
                raise refused(
                    topology.source.at("key"), "spec.topology_key", _unknown(topology.key, known, pool), "SUBMISSION"
                )


def _unknown(key: str, known: list[str], pool: Pool) -> str:
    if not known:
        return f"Pool {pool.name} has no topology, so `{key}` means nothing there."
    close = nearest(key, known)
    meant = f"Did you mean `{close}`?" if close else f"It has {', '.join(known)}."
    return f"The topology of pool {pool.name} has no level `{key}`. {meant}"


def check_topology_sets(workflow: WorkflowSpec, resources: Mapping[str, ResourceSpec]) -> None:
    """Tasks that ask for nearness ask for the same levels. Refused with `spec.topology_mixed`, class RESOURCE."""
    first: tuple[str, list[str]] | None = None
    for group in workflow.groups:
        for task in group.tasks:
            resource = resources[task.resource]
            keys = sorted(topology.key for topology in resource.topology)
            if not keys:
                continue
            if first is None:
                first = task.name, keys
            elif keys != first[1]:
                raise refused(
                    resource.source.at("topology"),
                    "spec.topology_mixed",
                    f"Task {task.name} asks for the levels {', '.join(keys)} and task {first[0]} for {', '.join(first[1])}: "
                    "all tasks that ask for any must ask for the same.",
                    "RESOURCE",
                )
